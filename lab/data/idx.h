// IDX files, the format of MNIST and its kin (LeCun, Cortes & Burges 1998), gzipped or not:
//
//     2 zero bytes | 1 byte element type | 1 byte rank | rank x 4 bytes size, big-endian | elements, last axis fastest
//
// Only unsigned bytes (type 0x08) are read. A stranger's file is not trusted: the magic number, the rank, the product
// of the sizes and the exact length are checked, and no memory is taken on the header's word.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/data/contents.h"

namespace norma::lab {

struct IdxArray {
  std::vector<std::int64_t> shape;  // rank 1 to 4
  std::vector<std::uint8_t> values;
};

// Throws InputError naming the file and what is wrong with it.
IdxArray read_idx(const std::string& path);

// Images (n), (n,C,H,W) in memory, with their labels.
struct IdxPair {
  std::int64_t count = 0, channels = 1, height = 1, width = 1;
  std::vector<std::uint8_t> pixels;  // (n,C,H,W)
  std::vector<std::uint8_t> labels;  // (n)
};

// Images of rank 2 (n,W), 3 (n,H,W) or 4 (n,C,H,W) and labels of rank 1. Throws InputError if the counts differ or
// there are none.
IdxPair read_idx_pair(const std::string& images, const std::string& labels);

Samples samples_of(IdxPair pair);

}  // namespace norma::lab
