// The results document (docs/results.md): everything that a study found, computed from its store alone.
#pragma once

#include <nlohmann/json.hpp>

#include "lab/data/dataset.h"
#include "lab/store/store.h"
#include "lab/study/study.h"

namespace norma::lab {

// Reads and checks the data of every part; what a record of the study says of it, and what "data" of the document is
// made from. Throws InputError.
nlohmann::json attach_all_data(Study& study);

// The study that a store holds.
Study study_of(const Store& store);

// Whatever is done so far; "complete" says whether that is all.
nlohmann::json results_of(const Store& store);

}  // namespace norma::lab
