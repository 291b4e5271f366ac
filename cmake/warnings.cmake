# norma_warnings(TARGET): the warnings every target of ours is held to; errors with NORMA_WERROR.
function(norma_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
  if(NORMA_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
