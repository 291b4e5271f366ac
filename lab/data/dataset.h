// A data set, split and ready to train on.
//
// Splits depend on the split seed alone: the samples are put in one seeded random order (files may be sorted by
// class), then test takes the first, validation the next, train the rest that it wants. So a larger training part
// leaves the other two as they were. With test files, test is drawn from those and the rest from the training files.
// Text is split by position instead. Values are standardised by the mean and sd of the training part: those of a table
// column by column, those of images and sequences all together.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/trial/spec.h"

namespace norma::lab {

enum class SampleKind : std::uint8_t { kImages, kSequences, kTokens };
// "images" (tables as well), "sequences", "tokens".
const char* sample_kind_name(SampleKind kind);

// The label of a position that is padding: no loss, no error.
inline constexpr std::int64_t kNoLabel = -100;

struct Dataset {
  SampleKind kind = SampleKind::kImages;
  // Of one sample. kImages: C, H, W. kSequences: features, 1, positions. kTokens: 1, 1, positions. Positions are those
  // of the longest sample.
  std::array<std::int64_t, 3> shape{};
  // Of the labels. For next-token prediction: the vocabulary.
  std::int64_t classes = 0;
  // The samples of the three parts, no others. kImages: (n,C,H,W). kSequences: (n,T,F), zero at padding. kTokens:
  // empty.
  std::vector<float> values;
  // kTokens: (n,T), from 1 to vocabulary-1, 0 at padding; otherwise empty.
  std::vector<std::int64_t> tokens;
  std::int64_t vocabulary = 0;        // of kTokens, 0 counted in; otherwise 0
  std::vector<std::int64_t> lengths;  // (n) positions that are no padding; empty: all of them in every sample
  // (n), from 0 to classes-1; (n,T), kNoLabel at padding, if they are per position.
  std::vector<std::int64_t> labels;
  bool per_position = false;
  bool keeps_padding = false;  // a batch has all positions, not those of its longest sample alone
  // Indices of samples; disjoint.
  std::vector<std::int64_t> train, validation, test;
  // Of the training part's values before they were standardised: one for all, or one a feature; none for tokens.
  std::vector<double> mean, sd;
  std::string checksum;  // of the contents, before the split; 32 hex digits

  std::int64_t samples() const { return static_cast<std::int64_t>(labels.size()) / (per_position ? positions() : 1); }
  std::int64_t positions() const { return kind == SampleKind::kImages ? shape[1] * shape[2] : shape[2]; }
  // Numbers of one sample.
  std::int64_t features() const { return shape[0] * shape[1] * shape[2]; }
};

// "optdigits", "listops", "idx", "cifar10", "npy", "csv", "text".
std::vector<std::string> data_sources();

// Whether its labels are the next token at every position.
bool predicts_next(const DataSpec& spec);

// Throws InputError: an unknown source, a file that is missing or malformed, files that do not go together, a part
// that wants more samples than there are, contents that are not those of spec.checksum (if it is set).
Dataset load(const DataSpec& spec);

// The error on the test part of always answering what is most frequent in the training part.
double majority_error(const Dataset& data);

// What there is, for checks before a run and for reports.
struct DataDescription {
  std::string licence;  // empty: the user's own files
  SampleKind kind = SampleKind::kImages;
  std::array<std::int64_t, 3> shape{};
  std::int64_t classes = 0;
  std::vector<std::string> class_names;    // where the labels of the files are words
  std::vector<std::int64_t> class_counts;  // of all samples; empty where labels are per position
  std::int64_t vocabulary = 0;             // of tokens
  bool per_position = false;
  std::int64_t train_available = 0;  // for train and validation, and for test where there are no test files
  std::int64_t test_available = 0;   // in files of their own
  std::string checksum;
  std::optional<double> majority_error;  // with spec's sizes, or those of share_out(); if there are so many
};

// Sizes for the parts of a study that says none: of the whole 60, 20 and 20%; of training files 75 and 25%, with all of
// the test files.
void share_out(DataSpec& spec, const DataDescription& description);

// Reads the contents, so it throws as load does, but not for sizes of the parts that are more than there is.
DataDescription describe(const DataSpec& spec);

}  // namespace norma::lab
