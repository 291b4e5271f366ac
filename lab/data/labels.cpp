#include "lab/data/labels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "lab/error.h"

namespace norma::lab {
namespace {

// "3", "3 or 5", "3, 5 or 7".
std::string alternatives(const std::vector<std::int64_t>& labels) {
  std::string text;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == labels.size() ? " or " : ", ") + std::to_string(labels[i]);
  }
  return text;
}

}  // namespace

std::string label_fault(const std::vector<std::int64_t>& labels) {
  const std::int64_t last = *std::max_element(labels.begin(), labels.end());
  std::vector<bool> found(static_cast<std::size_t>(last) + 1);
  for (const std::int64_t label : labels) found[static_cast<std::size_t>(label)] = true;
  std::vector<std::int64_t> missing;
  for (std::int64_t label = 0; label < last; ++label) {
    if (!found[static_cast<std::size_t>(label)]) missing.push_back(label);
  }
  if (static_cast<std::int64_t>(missing.size()) == last) {
    return fmt::format("label {} alone: expected at least 2 classes", last);
  }
  if (missing.empty()) return "";
  constexpr std::size_t kMostNamed = 8;
  const std::size_t more = missing.size() > kMostNamed ? missing.size() - kMostNamed : 0;
  missing.resize(missing.size() - more);
  return fmt::format("no label {}{}: expected every one from 0 to {}", alternatives(missing),
                     more > 0 ? fmt::format(" and {} more", more) : "", last);
}

void check_labels(const std::vector<std::int64_t>& training, const std::string& training_name,
                  const std::vector<std::int64_t>* test, const std::string& test_name) {
  if (const std::string fault = label_fault(training); !fault.empty()) {
    throw InputError(fmt::format("{}: {}", training_name, fault));
  }
  if (test == nullptr) return;
  const std::int64_t last = *std::max_element(training.begin(), training.end());
  std::set<std::int64_t> strange;
  std::copy_if(test->begin(), test->end(), std::inserter(strange, strange.end()),
               [&](std::int64_t label) { return label > last; });
  if (strange.empty()) return;
  throw InputError(fmt::format("{}: has label {}, which is not among those of {}: 0 to {}", test_name,
                               fmt::join(strange, ", "), training_name, last));
}

}  // namespace norma::lab
