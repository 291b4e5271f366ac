// Labels as classes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace norma::lab {

// What labels, from 0 on, lack for a study, which takes them for classes 0, 1, 2, ...: "no label 3 or 5: expected every
// one from 0 to 9"; "label 0 alone: expected at least 2 classes". Empty if they lack nothing.
std::string label_fault(const std::vector<std::int64_t>& labels);

// Throws InputError naming the file: training labels with a fault, or test labels that are not among them. Without test
// files `test` is null.
void check_labels(const std::vector<std::int64_t>& training, const std::string& training_name,
                  const std::vector<std::int64_t>* test, const std::string& test_name);

}  // namespace norma::lab
