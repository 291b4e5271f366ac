# norma_libtorch: libtorch for ours to link with. Found by header and library, in the system (Debian's libtorch-dev) or
# under CMAKE_PREFIX_PATH (a libtorch folder from elsewhere). find_package(Torch) is left aside: it would link what
# libtorch itself stands on (protobuf, glog, gflags) into ours, and every worker process would load it.
#
# norma_torch_headers(TARGET): uses norma_torch's precompiled <torch/torch.h>, of which parsing alone takes 15 s a
# translation unit. Reading what is precompiled still takes longer than most of the sources: norma_unity (compile_time.cmake).
find_path(NORMA_TORCH_API_DIR torch/torch.h PATH_SUFFIXES torch/csrc/api/include include/torch/csrc/api/include REQUIRED)
find_path(NORMA_TORCH_DIR ATen/ATen.h REQUIRED)
find_library(NORMA_TORCH_CPU_LIBRARY torch_cpu REQUIRED)
find_library(NORMA_C10_LIBRARY c10 REQUIRED)

add_library(norma_libtorch INTERFACE)
target_include_directories(norma_libtorch SYSTEM INTERFACE ${NORMA_TORCH_API_DIR} ${NORMA_TORCH_DIR})
target_link_libraries(norma_libtorch INTERFACE ${NORMA_TORCH_CPU_LIBRARY} ${NORMA_C10_LIBRARY})
# What is slow is in libtorch and in libnorma's kernels; -O3 here only costs build time.
target_compile_options(norma_libtorch INTERFACE $<$<CONFIG:Release>:-O2>)

function(norma_torch_headers target)
  norma_unity(${target} 16)
  target_precompile_headers(${target} REUSE_FROM norma_torch)
  # A precompiled header fits one kind of position-independent code only: the libraries'.
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
endfunction()
