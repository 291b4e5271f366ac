// How a sample of images or a table is looked at. Without a view it is (C,H,W); as a sequence:
//
//     "rows"              H positions of C*W features: a row of pixels, all channels
//     "pixels"            H*W positions of C features
//     "permuted_pixels"   the same in one fixed random order, alike for all samples (Le, Jaitly & Hinton 2015)
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lab/data/dataset.h"

namespace norma::lab {

struct View {
  SampleKind kind = SampleKind::kImages;
  std::array<std::int64_t, 3> shape{};  // of the Dataset
  std::vector<std::size_t> order;       // value i of a sample is value order[i] of (C,H,W)
};

// Throws InputError for an unknown name. shape: C, H, W.
View view_of(const std::string& name, const std::array<std::int64_t, 3>& shape);

// "rows", "pixels", "permuted_pixels".
std::vector<std::string> view_names();

}  // namespace norma::lab
