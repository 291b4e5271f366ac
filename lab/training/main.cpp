// norma-trial: the worker of `norma study`. It trains one trial after another, on one thread; lab/training/serve.h says
// how it is spoken to. It is a program of its own because it loads libtorch, and because a trial that crashes must not
// take the study with it.
#include <malloc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "lab/training/blas.h"
#include "lab/training/serve.h"
#include "norma/machine.h"

namespace {

constexpr const char* kUsage =
    "norma-trial: trains for `norma study`, which starts it.\n"
    "  norma-trial --serve      one request a line on standard input, one answer a line on standard output\n"
    "  norma-trial --one FILE   trains the trial in a JSON file and prints its result\n"
    "  norma-trial --blas       names the BLAS that libtorch computes with\n"
    "  norma-trial --version\n";

// Every step allocates and frees the same tensors. glibc would hand the large ones back to the system each time and
// take them again, page by page: a quarter of a CNN's step.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

// Standard output carries answers alone: whatever a library prints goes to standard error.
std::FILE* take_standard_output() {
  const int own = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  return own < 0 ? nullptr : fdopen(own, "w");
}

int serve() {
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C reaches the whole group; the study decides what it means
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::FILE* out = take_standard_output();
  if (out == nullptr) return 1;
  return norma::lab::Server().serve(std::cin, out) ? 0 : 1;
}

int one(const char* path) {
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "norma-trial: cannot open %s\n", path);
    return 2;
  }
  std::FILE* out = take_standard_output();
  if (out == nullptr) return 1;
  const auto spec = norma::lab::trial_spec_from_json(nlohmann::json::parse(file));
  std::fprintf(out, "%s\n", norma::lab::to_json(norma::lab::Server().run(spec)).dump(2).c_str());
  return std::fclose(out) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  try {
    if (mode == "--help" && argc == 2) return std::fputs(kUsage, stdout) < 0;
    if (mode == "--version" && argc == 2) return std::printf("norma-trial %s\n", norma::version().data()) < 0;
    if (mode == "--blas" && argc == 2) return std::printf("%s\n", norma::lab::blas_in_use().c_str()) < 0;
    norma::lab::use_one_thread();
    keep_freed_memory();
    if (mode == "--serve" && argc == 2) return serve();
    if (mode == "--one" && argc == 3) return one(argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "norma-trial: %s\n", error.what());
    return 2;
  }
  std::fputs(kUsage, stderr);
  return 2;
}
