# norma_unity(TARGET): with NORMA_UNITY its sources are compiled eight at a time, where reading the headers (libtorch's,
# nlohmann's) takes longer than compiling what includes them.
function(norma_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${NORMA_UNITY} UNITY_BUILD_BATCH_SIZE 8)
endfunction()
