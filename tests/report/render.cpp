// Reads a results document from standard input and writes its page to standard output; with `csv`, its CSV.
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "report.h"

int main(int argc, char** argv) try {
  const nlohmann::json results = nlohmann::json::parse(std::cin);
  const bool csv = argc > 1 && std::string_view(argv[1]) == "csv";
  std::cout << (csv ? norma::report::render_csv(results) : norma::report::render_html(results));
  return std::cout.flush() ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
