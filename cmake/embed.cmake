# norma_embed(TARGET SYMBOL FILE): puts a file's bytes into a target. C++ sees them as
#     extern const unsigned char SYMBOL[]; extern const std::size_t SYMBOL_size;      in namespace norma::embedded
# Run as a script (cmake -P) with NORMA_EMBED_INPUT, _OUTPUT and _SYMBOL, this file writes the C++ source.
if(NORMA_EMBED_INPUT)
  file(READ ${NORMA_EMBED_INPUT} bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(WRITE ${NORMA_EMBED_OUTPUT}
"#include <cstddef>
namespace norma::embedded {
extern const unsigned char ${NORMA_EMBED_SYMBOL}[];
extern const std::size_t ${NORMA_EMBED_SYMBOL}_size;
const unsigned char ${NORMA_EMBED_SYMBOL}[] = {
${bytes}0};
const std::size_t ${NORMA_EMBED_SYMBOL}_size = ${size};
}
")
  return()
endif()

set(NORMA_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(norma_embed target symbol file)
  cmake_path(ABSOLUTE_PATH file)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded/${symbol}.cpp)
  add_custom_command(
    OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DNORMA_EMBED_INPUT=${file} -DNORMA_EMBED_OUTPUT=${source} -DNORMA_EMBED_SYMBOL=${symbol}
            -P ${NORMA_EMBED_SCRIPT}
    DEPENDS ${file} ${NORMA_EMBED_SCRIPT}
    COMMENT "Embedding ${symbol}"
    VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
