// [claim] of a study file.
#pragma once

#include "lab/claims/claim.h"
#include "lab/study/study.h"
#include "lab/study/toml_table.h"

namespace norma::lab {

// The claim on the parts of its file. Throws InputError with file and line: arms, parts or models that do not exist, a
// contrast of nothing, keys that do not go together.
ClaimSpec parse_claim(const toml::table& toml, const std::string& file, const std::vector<StudySpec>& parts);

}  // namespace norma::lab
