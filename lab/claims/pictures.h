// The pictures of the claims' pages, as SVG.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace norma::lab {

// Was anything trained in a part, or were operators checked?
bool trains(const nlohmann::json& part);
// How a part calls an arm.
std::string arm_label(const nlohmann::json& part, const nlohmann::json& arm);

// A claim's picture, `parts` being those of the results document that it rests on; empty where there is nothing to
// show. Of what was trained, a dot and its 95% interval for each cell's test error in %; of a recommender, for the
// regret of each rule; of exact checks alone, each one's worst value within what its limit allows, on a logarithmic
// scale.
std::string claim_svg(const nlohmann::json& claim, const std::vector<const nlohmann::json*>& parts);
// What it shows.
std::string picture_words(const nlohmann::json& claim);

}  // namespace norma::lab
