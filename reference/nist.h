// The univariate sets of NIST's Statistical Reference Datasets,
// https://www.itl.nist.gov/div898/strd/univ/homepage.html, with their certified values. NumAcc1 to 4 are formulas and
// PiDigits is computed; the others are files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "reference/tensor.h"

namespace norma::reference {

struct NistSet {
  std::string name;
  Values x;
  double mean = 0, deviation = 0;  // certified; the deviation is that of n - 1
};

// NumAcc1, NumAcc2, NumAcc3, NumAcc4, PiDigits.
std::vector<NistSet> generated_nist_sets();
inline constexpr const char* kNistFiles[] = {"Lew", "Lottery", "Mavro", "Michelso"};
// NAME.csv of that folder: comments with the certified values, then a value a line. Nothing if it is not there.
std::optional<NistSet> read_nist_set(const std::filesystem::path& folder, const std::string& name);

// Correct decimal digits of a result, the log relative error; at most 15, the certified values have no more.
double digits(double found, double certified);

}  // namespace norma::reference
