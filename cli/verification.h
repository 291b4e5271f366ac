// The kernels against the oracle on this machine, on every instruction set it has: what `norma verify` does.
#pragma once

#include <string>
#include <vector>

#include "reference/exam.h"

namespace norma::cli {

struct VerificationOptions {
  // Empty: every instruction set this machine has.
  std::string isa;
  // What is examined: the library. Tests put something broken here.
  reference::Subject subject;
};

// One instruction set, data type and operation, over all cases.
struct VerifiedRow {
  std::string isa;
  DType dtype;
  reference::Operation operation;
  std::int64_t exams = 0;
  double error = 0;  // the largest, in units of roundoff
  double limit = 0;
  std::string worst;  // the case with the largest error
  bool ok() const { return error <= limit; }
};

// Results that must agree in every bit.
struct VerifiedBits {
  std::string across;  // "instruction sets with FMA: avx512, avx2"
  std::int64_t compared = 0;
  std::int64_t differing = 0;
  std::string first;  // the first result that differs
  bool ok() const { return differing == 0; }
};

struct Verification {
  std::vector<std::string> isas;
  std::vector<VerifiedRow> rows;
  std::vector<VerifiedBits> bits;
  double seconds = 0;
  bool ok() const;
  std::int64_t exams() const;
};

// Throws norma::Error for an instruction set that is unknown or that this machine lacks.
Verification verify(const VerificationOptions& options);

}  // namespace norma::cli
