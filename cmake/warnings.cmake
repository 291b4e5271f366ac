# norma_warnings(TARGET): the warnings every target of ours is held to; errors with NORMA_WERROR.
function(norma_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
  # GCC 12 sees overlapping copies in "literal" + std::string where there are none (GCC bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  if(NORMA_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
