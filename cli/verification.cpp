#include "verification.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "joined.h"
#include "norma/machine.h"

namespace norma::cli {
namespace {

using reference::Case;
using reference::Exam;
using reference::Operation;
using reference::Outcome;

constexpr std::array kLayouts{Layout::kChannelsFirst, Layout::kChannelsLast};

// Puts the instruction set and the threads back as they were.
class Machine {
 public:
  Machine() = default;
  ~Machine() {
    force_isa(isa_);
    omp_set_num_threads(threads_);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

 private:
  std::string isa_ = current_isa();
  int threads_ = omp_get_max_threads();
};

// One rounding where others take two: these agree in every bit. Of the instruction sets we build for, SSE and scalar
// code lack it.
bool has_fma(const std::string& isa) {
  return isa != "sse4" && isa != "scalar";
}

std::string describe(const Case& problem, const reference::Data& data, Layout layout, Operation operation) {
  return std::string(reference::name_of(operation)) + " of " + problem.name +
         (data.mask_axes != 0 ? ", masked, " : ", ") + norma::name_of(data.dtype) +
         (layout == Layout::kChannelsLast ? ", channels last" : ", channels first");
}

class Verifier {
 public:
  explicit Verifier(const VerificationOptions& options) : options_(options) {
    result_.isas = options.isa.empty() ? available_isas() : std::vector<std::string>{options.isa};
    for (const std::string& isa : result_.isas) {
      force_isa(isa);  // before any work: an unknown name is an error
      if (has_fma(isa)) fma_.push_back(isa);
    }
    for (const std::string& isa : result_.isas) {
      for (const DType dtype : kDTypes) {
        for (const Operation operation : reference::kOperations) {
          rows_[{isa, dtype, operation}] = {isa, dtype, operation, 0, 0, reference::allowed_error(operation, dtype),
                                            ""};
        }
      }
    }
    across_isas_.across = "instruction sets with FMA: " + joined(fma_);
  }

  Verification run() {
    for (const DType dtype : kDTypes) {
      for (const Case& problem : reference::all_cases()) examine(problem, {dtype});
      for (const Case& problem : reference::few_cases()) {
        examine(problem, {dtype, false, false});
        for (const std::uint32_t axes : reference::mask_axes(problem)) {
          examine(problem, {.dtype = dtype, .mask_axes = axes});
        }
      }
    }
    if (fma_.size() > 1) result_.bits.push_back(across_isas_);
    compare_threads();
    for (const std::string& isa : result_.isas) {
      for (const DType dtype : kDTypes) {
        for (const Operation operation : reference::kOperations) result_.rows.push_back(rows_[{isa, dtype, operation}]);
      }
    }
    return std::move(result_);
  }

 private:
  void examine(const Case& problem, const reference::Data& data) {
    const Exam exam(problem, data);
    for (const Layout layout : kLayouts) {
      if (layout == Layout::kChannelsLast && problem.shape.rank() < 3) continue;  // the same memory
      for (const Operation operation : reference::kOperations) {
        std::vector<std::byte> bits;  // of the first instruction set with FMA
        for (const std::string& isa : result_.isas) {
          force_isa(isa);
          // Statistics as x holds them, so that they have an error to measure; the others with statistics in f64.
          const DType saved = operation == Operation::kStatistics ? data.dtype : DType::kFloat64;
          const Outcome outcome = exam.run(operation, {layout, saved, 0}, options_.subject);
          const std::string what = describe(problem, data, layout, operation);
          VerifiedRow& row = rows_[{isa, data.dtype, operation}];
          ++row.exams;
          if (outcome.error > row.error) {
            row.error = outcome.error;
            row.worst = what;
          }
          if (!has_fma(isa)) continue;
          if (isa != fma_.front()) {
            compare(across_isas_, outcome.bits, bits, what + " on " + isa);
          } else {
            bits = outcome.bits;
          }
        }
      }
    }
  }

  // Large enough that the work is shared out.
  void compare_threads() {
    const std::vector<Case> cases{{"layer_norm (300, 301)", layer_norm(), {300, 301}},
                                  {"batch_norm (2000, 40)", batch_norm(), {2000, 40}},
                                  {"batch_norm (16, 17, 20, 20)", batch_norm(), {16, 17, 20, 20}},
                                  {"layer_norm (1, 100000)", layer_norm(), {1, 100000}}};
    force_isa(result_.isas.front());
    VerifiedBits across{"1, 2, 3 and 8 threads", 0, 0, ""};
    for (const Case& problem : cases) {
      compare_threads(problem, {DType::kFloat32}, across);
      for (const std::uint32_t axes : reference::mask_axes(problem)) {
        compare_threads(problem, {.dtype = DType::kFloat32, .mask_axes = axes}, across);
      }
    }
    result_.bits.push_back(across);
  }

  void compare_threads(const Case& problem, const reference::Data& data, VerifiedBits& across) {
    const Exam exam(problem, data);
    for (const Operation operation : reference::kOperations) {
      omp_set_num_threads(1);
      const Outcome alone = exam.run(operation, {}, options_.subject);
      for (const int threads : {2, 3, 8}) {
        omp_set_num_threads(threads);
        compare(across, exam.run(operation, {}, options_.subject).bits, alone.bits,
                describe(problem, data, Layout::kChannelsFirst, operation) + " with " + std::to_string(threads) +
                    " threads");
      }
    }
  }

  static void compare(VerifiedBits& bits, const std::vector<std::byte>& got, const std::vector<std::byte>& want,
                      const std::string& what) {
    ++bits.compared;
    if (got == want) return;
    if (bits.differing++ == 0) bits.first = what;
  }

  Machine machine_;
  const VerificationOptions& options_;
  std::vector<std::string> fma_;
  std::map<std::tuple<std::string, DType, Operation>, VerifiedRow> rows_;
  VerifiedBits across_isas_;
  Verification result_;
};

}  // namespace

bool Verification::ok() const {
  return std::ranges::all_of(rows, &VerifiedRow::ok) && std::ranges::all_of(bits, &VerifiedBits::ok);
}

std::int64_t Verification::exams() const {
  std::int64_t sum = 0;
  for (const VerifiedRow& row : rows) sum += row.exams;
  return sum;
}

Verification verify(const VerificationOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Verification result = Verifier(options).run();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace norma::cli
