// The symbol that libtorch calls is resolved as the dynamic linker resolves it, and the file that holds it is looked
// at.
#include "lab/training/blas.h"

#include <dlfcn.h>

#include <filesystem>
#include <sstream>

namespace norma::lab {
namespace {

// openblas_get_config(): "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...". The kernels are its choice for this processor,
// or OPENBLAS_CORETYPE's; they decide the bits.
std::string openblas() {
  using Text = const char*();
  using Parallel = int();
  std::string version;
  if (const auto config = reinterpret_cast<Text*>(dlsym(RTLD_DEFAULT, "openblas_get_config"))) {
    std::istringstream words(config());
    std::string name;
    words >> name >> version;
  }
  std::string threads;
  if (const auto parallel = reinterpret_cast<Parallel*>(dlsym(RTLD_DEFAULT, "openblas_get_parallel"))) {
    const int kind = parallel();
    threads = kind == 2 ? " (OpenMP)" : kind == 1 ? " (threads)" : " (serial)";
  }
  std::string kernels;
  if (const auto core = reinterpret_cast<Text*>(dlsym(RTLD_DEFAULT, "openblas_get_corename"))) {
    kernels = std::string(", ") + core();
  }
  return "OpenBLAS" + (version.empty() ? "" : " " + version) + threads + kernels;
}

}  // namespace

std::string blas_in_use() {
  void* sgemm = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info where;
  if (sgemm == nullptr || dladdr(sgemm, &where) == 0 || where.dli_fname == nullptr) return "none";
  std::error_code failed;
  const std::filesystem::path real = std::filesystem::canonical(where.dli_fname, failed);
  const std::string path = failed ? where.dli_fname : real.string();
  const auto mentions = [&path](const char* word) { return path.find(word) != std::string::npos; };
  if (mentions("openblas")) return openblas();
  if (mentions("mkl")) return "MKL";
  if (mentions("blis")) return "BLIS";
  if (mentions("atlas")) return "ATLAS";
  if (mentions("/blas/") || mentions("refblas")) return "reference";
  return path;
}

void use_one_blas_thread() {
  using SetThreads = void(int);
  for (const char* name : {"openblas_set_num_threads", "MKL_Set_Num_Threads"}) {
    if (const auto set = reinterpret_cast<SetThreads*>(dlsym(RTLD_DEFAULT, name))) set(1);
  }
}

}  // namespace norma::lab
