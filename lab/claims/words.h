// A claim's contrasts and checks in words, out of the results document: the same on the terminal and in the pages.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::lab {

// "-4.1 [-5.0, -3.2] points"; "not measured". What has no end is infinite where a median is told, and unknown ("?", too
// few seeds) elsewhere.
std::string effect_text(const nlohmann::json& contrast);
// "3 of 3 exact checks hold".
std::string exact_text(const nlohmann::json& checks);
// Why a contrast's result does not count whatever it is; empty if it does.
std::string no_count_text(const nlohmann::json& contrast);

}  // namespace norma::lab
