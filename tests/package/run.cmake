# Installs the build to a fresh prefix, builds the consumer against it in a folder outside the tree with the build's own
# generator and compilers, runs it and checks what it prints: (1, 2, 3, 4) normalized, (x - 2.5) / sqrt(1.25). Then the
# same in C with pkg-config.
#   cmake -D build=DIR -D source=DIR -D generator=G -D make=PROGRAM -D compiler=CXX -D c_compiler=CC -D type=Release
#     -D flags=F -P run.cmake
if(DEFINED ENV{TMPDIR})
  set(temporary $ENV{TMPDIR})
else()
  set(temporary /tmp)
endif()
string(RANDOM LENGTH 8 name)
set(work ${temporary}/norma-package-${name})
file(COPY ${source}/consumer DESTINATION ${work})

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    file(REMOVE_RECURSE ${work})
    message(FATAL_ERROR "${what} failed (${result}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run("install" ${CMAKE_COMMAND} --install ${build} --prefix ${work}/prefix --component norma)
run("configure" ${CMAKE_COMMAND} -S ${work}/consumer -B ${work}/build -G ${generator} -DCMAKE_MAKE_PROGRAM=${make}
    -DCMAKE_CXX_COMPILER=${compiler} -DCMAKE_C_COMPILER=${c_compiler} -DCMAKE_BUILD_TYPE=${type}
    -DCMAKE_CXX_FLAGS=${flags} -DCMAKE_C_FLAGS=${flags}
    -DCMAKE_PREFIX_PATH=${work}/prefix)
run("build" ${CMAKE_COMMAND} --build ${work}/build --config ${type})
set(expected "-1.3416 -0.4472 0.4472 1.3416\n")
function(expect what)
  run("${what}" ${ARGN})
  if(NOT output STREQUAL expected)
    file(REMOVE_RECURSE ${work})
    message(FATAL_ERROR "${what} printed '${output}', expected '${expected}'")
  endif()
endfunction()
foreach(name consumer consumer_c)
  find_program(${name} ${name} PATHS ${work}/build ${work}/build/${type} NO_DEFAULT_PATH REQUIRED)
  expect("${name}" ${${name}})
endforeach()

# The same program by a C compiler and pkg-config alone, from a prefix that has been moved.
find_program(pkg_config pkg-config REQUIRED)
file(RENAME ${work}/prefix ${work}/moved)
file(GLOB_RECURSE pc ${work}/moved/norma.pc)
get_filename_component(pc_dir ${pc} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${pc_dir})
run("pkg-config" ${pkg_config} --static --cflags --libs norma)
separate_arguments(found UNIX_COMMAND "${output}")
separate_arguments(more UNIX_COMMAND "${flags}")
get_filename_component(lib_dir ${pc_dir} DIRECTORY)
run("cc" ${c_compiler} -std=c99 ${more} ${work}/consumer/main.c -o ${work}/by_hand ${found} -Wl,-rpath,${lib_dir})
expect("the program built with pkg-config" ${work}/by_hand)
file(REMOVE_RECURSE ${work})
