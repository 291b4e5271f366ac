// The results document (docs/results.md): everything that a study found, computed from its store alone.
#pragma once

#include <nlohmann/json.hpp>

#include "lab/data/dataset.h"
#include "lab/store/store.h"
#include "lab/study/study.h"

namespace norma::lab {

// "data" of the document, of a study and what attach_data() returned for it.
nlohmann::json data_section(const StudySpec& spec, const DataDescription& description);

// The study that a store holds.
StudySpec study_of(const Store& store);

// Whatever is done so far; "complete" says whether that is all.
nlohmann::json results_of(const Store& store);

}  // namespace norma::lab
