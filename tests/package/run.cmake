# Installs the build to a fresh prefix, builds the consumer against it in a folder outside the tree with the build's own
# generator and compiler, runs it and checks what it prints: (1, 2, 3, 4) normalized, (x - 2.5) / sqrt(1.25).
#   cmake -D build=DIR -D source=DIR -D generator=G -D make=PROGRAM -D compiler=CXX -D type=Release -D flags=F -P run.cmake
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
    -DCMAKE_CXX_COMPILER=${compiler} -DCMAKE_BUILD_TYPE=${type} -DCMAKE_CXX_FLAGS=${flags}
    -DCMAKE_PREFIX_PATH=${work}/prefix)
run("build" ${CMAKE_COMMAND} --build ${work}/build --config ${type})
find_program(consumer consumer PATHS ${work}/build ${work}/build/${type} NO_DEFAULT_PATH REQUIRED)
run("consumer" ${consumer})
file(REMOVE_RECURSE ${work})
set(expected "-1.3416 -0.4472 0.4472 1.3416\n")
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "the consumer printed '${output}', expected '${expected}'")
endif()
