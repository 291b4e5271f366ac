// The measures that a claim may name, so that a mistyped one is refused before anything is trained.
#pragma once

#include <string>
#include <vector>

#include "lab/study/study.h"

namespace norma::lab {

// Of a contrast over cells of these parts: what every trial has, and what their shifts, probes and data add.
std::vector<std::string> contrast_measures(const std::vector<StudySpec>& parts);

// Of [[claim.exact]]: what models of the kind "checks" measure (lab/training/checks.h).
std::vector<std::string> check_measures();

}  // namespace norma::lab
