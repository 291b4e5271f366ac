// A study: which arms on which models and data, and which comparisons and claims it was made for. It has one part or
// several, each with data, training, models and arms of its own. Studies are TOML files (docs/studies.md); some are
// built in.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lab/claims/claim.h"
#include "lab/data/dataset.h"
#include "lab/trial/spec.h"

namespace norma::lab {

struct StudyModel {
  ModelSpec spec;
  std::int64_t groups = 0;        // of the arm "group"
  std::vector<std::string> arms;  // those of the study unless the file says otherwise
  std::uint32_t line = 0;         // of the file
};

// A primary contrast, written down before the run: error of a minus error of b.
struct StudyContrast {
  std::string a, b;
  std::vector<std::string> models;                  // names
  std::vector<std::int64_t> normalization_batches;  // empty if neither arm shares over the batch
};

// One part of a study; of a study that has one part alone, all of it.
struct StudySpec {
  std::string name, question;
  DataSpec data;
  std::vector<StudyModel> models;
  std::vector<std::string> arms;
  std::vector<std::int64_t> normalization_batches;  // ascending; empty if no arm shares over the batch
  TrainingSpec training;                            // learning_rate is left 0: it is tuned
  std::int64_t seeds = 0;
  std::int64_t tuning_seeds = 0;
  std::vector<double> learning_rates;  // ascending
  std::int64_t widen = 0;              // how often the grid may grow where the best is at its edge
  std::string rate_of;  // an arm: it alone is tuned, and every arm of its model takes its rate; empty: each its own
  std::vector<StudyContrast> contrasts;
  std::vector<std::string> shifts, probes;          // of the final trials (lab/trial/spec.h)
  bool allow_leak = false;                          // arms that show a causal model its future (leaks(), arm_list.h)
  std::string file;                                 // that it stands in, as messages name it
  std::map<std::string, std::uint32_t> data_lines;  // where the keys of [data] stand in the file; "": its head
  std::uint32_t sgd_batch_line = 0;                 // where 'sgd_batch' stands in the file; 0: it is the default
  std::optional<double> majority_error;             // of the test part (lab/data/dataset.h), of a stored study

  // Seeds of the final trials and of tuning never meet.
  static constexpr std::uint64_t kFirstSeed = 1, kFirstTuningSeed = 1001;
};

struct Study {
  std::string name, question;
  std::string size;              // "smoke", "full"; empty: the default
  std::vector<StudySpec> parts;  // at least one; names differ
  std::vector<ClaimSpec> claims;
};

// The text of a study and where it came from.
struct StudyFile {
  std::string name;  // for messages: a path, or "quick (built in)"
  std::string text;
  std::string folder;  // relative paths in the file start here; empty if built in
};

// Names of the built-in studies.
std::vector<std::string> builtin_studies();
// A built-in study; nothing if there is none of this name.
std::optional<StudyFile> builtin_study(const std::string& name);
// A built-in study by name, or else a file by path. Throws InputError if there is neither, with the nearest name.
StudyFile find_study(const std::string& name_or_path);
// The file as it is run and stored: with the files that it includes within, and with the size written down ("smoke",
// "full"; empty: as the file says). Throws InputError for a file that is missing and a size that the file has not.
StudyFile as_run(const StudyFile& file, const std::string& size);
// Reads and checks everything that needs no data; `seeds`, if given, replaces the file's. Throws InputError with
// file, line, what is wrong and the nearest valid name.
Study parse_study(const StudyFile& file, std::optional<std::int64_t> seeds = std::nullopt);
// Reads a part's data, checks the part against it (sizes, images for a CNN) and sets spec.data.checksum. Throws
// InputError with file and line.
DataDescription attach_data(StudySpec& spec);

// What is odd about a study but no mistake, in sentences: e.g. too few seeds for any p to pass Holm's correction.
std::vector<std::string> study_notes(const Study& study);
// How many seeds it takes for the smallest p of the two-sided sign-flip test, 2 / 2^n, to pass Holm's correction over
// so many contrasts at the 5% level.
std::int64_t seeds_needed(std::int64_t contrasts);
// How many contrasts between cells the primary ones of a part are.
std::int64_t primary_contrast_count(const StudySpec& spec);

// Everything that decides what a study finds, without paths: two studies with the same identity are the same.
nlohmann::json study_identity(const Study& study);

// "MLP 64-128-128-10, ReLU".
std::string model_label(const ModelSpec& model, std::int64_t features, std::int64_t classes);

}  // namespace norma::lab
