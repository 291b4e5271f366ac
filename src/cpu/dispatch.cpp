#include "cpu/dispatch.h"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "cpu/targets.h"
#include "norma/machine.h"

// After targets.h.
#include <hwy/highway.h>

// The instruction sets of this build, best first: NORMA_FOR_EACH_ISA(X) calls X(namespace, Highway's bit, name).
#if HWY_TARGETS & HWY_AVX3
#define NORMA_ISA_AVX512(X) X(N_AVX3, HWY_AVX3, "avx512")
#else
#define NORMA_ISA_AVX512(X)
#endif
#if HWY_TARGETS & HWY_AVX2
#define NORMA_ISA_AVX2(X) X(N_AVX2, HWY_AVX2, "avx2")
#else
#define NORMA_ISA_AVX2(X)
#endif
#if HWY_TARGETS & HWY_NEON
#define NORMA_ISA_NEON(X) X(N_NEON, HWY_NEON, "neon")
#else
#define NORMA_ISA_NEON(X)
#endif
#if HWY_TARGETS & HWY_SSE4
#define NORMA_ISA_SSE4(X) X(N_SSE4, HWY_SSE4, "sse4")
#else
#define NORMA_ISA_SSE4(X)
#endif
// What Highway falls back on, one lane at a time as far as it knows.
#if HWY_TARGETS & HWY_SCALAR
#define NORMA_ISA_BASELINE(X) X(N_SCALAR, HWY_SCALAR, "scalar")
#elif HWY_TARGETS & HWY_EMU128
#define NORMA_ISA_BASELINE(X) X(N_EMU128, HWY_EMU128, "scalar")
#else
#define NORMA_ISA_BASELINE(X)
#endif
#define NORMA_FOR_EACH_ISA(X) \
  NORMA_ISA_AVX512(X) NORMA_ISA_AVX2(X) NORMA_ISA_SSE4(X) NORMA_ISA_NEON(X) NORMA_ISA_BASELINE(X)

namespace norma::cpu {

#define NORMA_DECLARE(NAMESPACE, BIT, NAME)                          \
  namespace NAMESPACE {                                              \
  template <class T>                                                 \
  void fill_rows_forward(RowKernels<T>&);                            \
  template <class T>                                                 \
  void fill_rows_backward(RowKernels<T>&);                           \
  template <class T>                                                 \
  void fill_columns_forward(ColumnKernels<T>&);                      \
  template <class T>                                                 \
  void fill_columns_backward(ColumnKernels<T>&);                     \
  inline KernelTables tables() {                                     \
    KernelTables tables{};                                           \
    const auto fill = [](auto& typed) {                              \
      fill_rows_forward(typed.rows);                                 \
      fill_rows_backward(typed.rows);                                \
      fill_columns_forward(typed.columns);                           \
      fill_columns_backward(typed.columns);                          \
    };                                                               \
    std::apply([&](auto&... typed) { (fill(typed), ...); }, tables); \
    return tables;                                                   \
  }                                                                  \
  }
NORMA_FOR_EACH_ISA(NORMA_DECLARE)
#undef NORMA_DECLARE

namespace {

struct Isa {
  std::string_view name;
  std::int64_t bit;
  KernelTables tables;
};

std::span<const Isa> built_isas() {
#define NORMA_ENTRY(NAMESPACE, BIT, NAME) {NAME, BIT, NAMESPACE::tables()},
  static const Isa isas[] = {NORMA_FOR_EACH_ISA(NORMA_ENTRY)};
#undef NORMA_ENTRY
  return isas;
}

bool runs_here(const Isa& isa) {
  // The baseline runs wherever the program does, whether or not Highway lists it.
  static const std::int64_t supported = hwy::SupportedTargets() | HWY_STATIC_TARGET;
  return (supported & isa.bit) != 0;
}

std::string list_of_available() {
  std::string text;
  for (const std::string& name : available_isas()) text += (text.empty() ? "" : ", ") + name;
  return text;
}

const Isa& find_isa(std::string_view name, const char* where) {
  for (const Isa& isa : built_isas()) {
    if (name.empty() ? runs_here(isa) : isa.name == name) {
      if (runs_here(isa)) return isa;
      throw Error("[" + std::string(where) + "] expected an instruction set that this machine runs (" +
                  list_of_available() + "), got \"" + std::string(name) + "\"");
    }
  }
  throw Error("[" + std::string(where) + "] expected one of " + list_of_available() + ", got \"" + std::string(name) +
              "\"");
}

std::atomic<const Isa*> current{nullptr};

const Isa& current_entry() {
  const Isa* isa = current.load(std::memory_order_acquire);
  if (isa == nullptr) {
    const char* forced = std::getenv("NORMA_FORCE_ISA");
    isa = &find_isa(forced == nullptr ? "" : forced, "NORMA_FORCE_ISA");
    current.store(isa, std::memory_order_release);
  }
  return *isa;
}

}  // namespace

const KernelTables& kernel_tables() {
  return current_entry().tables;
}

template <class T>
const RowKernels<T>& row_kernels() {
  return std::get<TypedTables<T>>(kernel_tables()).rows;
}
template <class T>
const ColumnKernels<T>& column_kernels() {
  return std::get<TypedTables<T>>(kernel_tables()).columns;
}
#define NORMA_INSTANTIATE(T)                      \
  template const RowKernels<T>& row_kernels<T>(); \
  template const ColumnKernels<T>& column_kernels<T>()
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

void merge_moments(Moments& a, const Moments& b) noexcept {
  const double total = a.count + b.count;
  if (b.count == 0) return;
  const double delta = (b.mean - a.mean) + (b.low - a.low);
  const double step = delta * (b.count / total);
  // Two-sum (Knuth): what mean + step loses goes to low.
  const double mean = a.mean + step;
  const double moved = mean - a.mean;
  a.low += (a.mean - (mean - moved)) + (step - moved);
  a.mean = mean;
  a.m2 += b.m2 + delta * delta * (a.count * (b.count / total));
  a.count = total;
}

}  // namespace norma::cpu

namespace norma {

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const cpu::Isa& isa : cpu::built_isas()) {
    if (cpu::runs_here(isa)) names.emplace_back(isa.name);
  }
  return names;
}

std::string current_isa() {
  return std::string(cpu::current_entry().name);
}

void force_isa(std::string_view name) {
  cpu::current.store(&cpu::find_isa(name, "force_isa"), std::memory_order_release);
}

}  // namespace norma
