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

struct ClaimPicture {
  std::string svg;    // empty where there is nothing to show
  std::string shows;  // what, in words
};

// A claim's picture, `parts` being those of the results document that it rests on. Of a recommender, the regret of each
// rule with its 95% interval; of a claim about something else than the test error, its own measure in each cell; of
// what was trained else, each cell's test error in %, likewise; otherwise each exact check's worst value within what
// its limit allows, on a logarithmic scale.
ClaimPicture claim_picture(const nlohmann::json& claim, const std::vector<const nlohmann::json*>& parts);

}  // namespace norma::lab
