# norma_unity(TARGET [COUNT]): with NORMA_UNITY its sources are compiled so many at a time (8), where reading the headers
# (libtorch's, nlohmann's) takes longer than compiling what includes them.
function(norma_unity target)
  set(count 8)
  if(ARGC GREATER 1)
    set(count ${ARGV1})
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${NORMA_UNITY} UNITY_BUILD_BATCH_SIZE ${count})
endfunction()

# norma_quick_to_compile(TARGET): of code that is glue and JSON, -O3 costs a third of its compile time and gains nothing.
function(norma_quick_to_compile target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()
