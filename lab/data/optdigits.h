// The embedded data set: 1,797 handwritten digits of 8x8 pixels (data/optdigits/README.md).
#pragma once

#include "lab/data/idx.h"

namespace norma::lab {

// Pixels from 0 to kOptdigitsMax.
IdxPair read_optdigits();

constexpr int kOptdigitsMax = 16;
constexpr const char* kOptdigitsLicence =
    "CC BY 4.0; Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository";

}  // namespace norma::lab
