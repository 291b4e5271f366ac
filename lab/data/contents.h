// A source as it was read: everything it holds, not yet split, not yet standardised.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lab/data/dataset.h"

namespace norma::lab {

// No header makes the lab take more than this, and no source holds more classes.
inline constexpr std::int64_t kMaxFileBytes = std::int64_t{4} << 30U;
inline constexpr std::int64_t kMaxClasses = 65'536;
// Beyond it, the squares of a feature's standardisation could overflow.
inline constexpr double kLargestFeature = 1e100;

// The samples of one file or of files that go together.
struct Samples {
  std::int64_t count = 0;
  std::array<std::int64_t, 3> shape{1, 1, 1};  // of one: C, H, W of images; 1, 1, positions of tokens
  // Images and tables: (n,C,H,W), in the type that they came in.
  std::variant<std::vector<std::uint8_t>, std::vector<float>, std::vector<double>> values;
  std::vector<std::uint8_t> tokens;   // (n,T), 0 at padding
  std::vector<std::int64_t> lengths;  // (n); empty: all full
  std::vector<std::int64_t> labels;   // (n), from 0 on
};

struct Contents {
  Samples training;
  std::optional<Samples> test;  // where there are test files
  SampleKind kind = SampleKind::kImages;
  std::int64_t classes = 0;              // 0: one more than the largest label
  std::int64_t vocabulary = 0;           // of tokens
  int scale = 1;                         // bytes are divided by it
  bool by_feature = false;               // the columns of a table: each is standardised by itself
  bool in_random_order = false;          // generated: they need no shuffling
  std::string licence;                   // empty: the user's own files
  std::vector<std::string> class_names;  // where the labels are words
};

// Each reads all that `spec` names and throws InputError, naming the file, for what is missing or malformed.
Contents read_optdigits_contents(const DataSpec& spec);
// The files "train_images", "train_labels" and, if they are there, "test_images" and "test_labels".
Contents read_idx_contents(const DataSpec& spec);
Contents read_cifar10_contents(const DataSpec& spec);
Contents read_npy_contents(const DataSpec& spec);
Contents read_csv_contents(const DataSpec& spec);
Contents generate_listops(const DataSpec& spec);

}  // namespace norma::lab
