// A claim's contrasts and checks in words, out of the results document: the same on the terminal and in the pages.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace norma::lab {

std::string text_of(const nlohmann::json& value);

// "-4.1 [-5.0, -3.2] points"; "not measured". Ends that too few seeds leave unknown are "?".
std::string effect_text(const nlohmann::json& contrast);
// The same where the sides are not named: of parts each on its own it says that it is the largest.
std::string answer_effect_text(const nlohmann::json& contrast);
// "BatchNorm less LayerNorm, test error: -4.1 [-5.0, -3.2] points".
std::string comparison_text(const nlohmann::json& contrast);
// A sentence: what the claim asks of the effect, and whether that, the opposite or neither is shown, and why.
std::string standing_text(const nlohmann::json& contrast);
// A sentence on how often a target is reached; empty for other measures.
std::string target_text(const nlohmann::json& contrast);
// "3 of 3 exact checks hold".
std::string exact_text(const nlohmann::json& checks);
// How many seeds a claim's answer rests on: those of its contrast, or of its exact checks.
std::int64_t seeds_of(const nlohmann::json& claim);
// Sentences on the signs that stand in these claims' effects and need words: an infinity, "?". Empty if none does.
std::string signs_text(const nlohmann::json& claims);
// "3 trials", "1 trial".
std::string counted(std::int64_t count, const std::string& what);
// "220 of them are trials of claim 8 too"; empty if none is.
std::string shared_text(const nlohmann::json& claim);

}  // namespace norma::lab
