// norma-bench-training: whole trials of the lab beside the same loops written directly against libtorch.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "machine.h"
#include "training.h"

int main(int argc, char** argv) {
  CLI::App app{"Times the lab's trials beside loops of libtorch's layers."};
  std::string json_path;
  std::string filter;
  bool quick = false;
  app.add_option("--json", json_path, "Write the results to this file");
  app.add_option("--filter", filter, "Only the trials whose name contains this");
  app.add_flag("--quick", quick, "Fewer rounds");
  CLI11_PARSE(app, argc, argv);
  try {
    norma::bench::reuse_freed_memory();  // as norma-trial does
    const nlohmann::json rows = norma::bench::compare_training(filter, quick);
    if (json_path.empty()) return 0;
    std::ofstream file(json_path);
    file << rows.dump(1) << "\n";
    if (!file.flush()) throw std::runtime_error("cannot write " + json_path);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "norma-bench-training: %s\n", error.what());
    return 1;
  }
  return 0;
}
