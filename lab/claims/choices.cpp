#include "lab/claims/choices.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <tuple>

#include "lab/models/arm_list.h"
#include "lab/results/cells.h"

namespace norma::lab {
namespace {

constexpr double kPoints = 100;

const char* family_name(unsigned family) {
  switch (family) {
    case kPlain:
      return "mlp";
    case kConvolutional:
      return "cnn";
    case kRecurrent:
      return "recurrent";
    case kEncoder:
      return "transformer";
    case kDecoder:
      return "decoder";
    default:
      return "";
  }
}

// What errs less by the mean, and at how many situations the other one does.
void choose(const std::vector<Interval>& differences, Choice& choice) {
  const Standing standing = choice.contrast.standing;
  if (standing != Standing::kShown && standing != Standing::kRefuted) return;
  const bool batch = standing == Standing::kShown;
  choice.against = std::count_if(differences.begin(), differences.end(),
                                 [&](const Interval& one) { return batch ? one.low > 0 : one.high < 0; });
  if (choice.against == 0) choice.chosen = batch ? Chosen::kBatch : Chosen::kLayer;
}

}  // namespace

std::vector<Choice> choices_of(const Plan& plan, const std::vector<Situation>& situations,
                               const std::vector<Interval>& differences) {
  std::map<std::tuple<unsigned, bool, std::string, std::int64_t>, std::vector<std::size_t>> kinds;
  for (std::size_t i = 0; i < situations.size(); ++i) {
    const Situation& one = situations[i];
    kinds[{one.family, one.batches != "shuffled", one.batches, one.normalization_batch}].push_back(i);
  }
  ClaimContrast lower;  // BatchNorm errs less
  std::vector<Choice> choices;
  std::vector<std::vector<Interval>> own;
  for (const auto& [kind, members] : kinds) {
    std::vector<Spot> batch, layer;
    Choice choice;
    choice.least = std::numeric_limits<double>::infinity();
    choice.most = -choice.least;
    own.emplace_back();
    for (const std::size_t i : members) {
      const Situation& one = situations[i];
      batch.push_back({one.batch->part, one.batch->model, {one.batch}});
      layer.push_back({one.layer->part, one.layer->model, {one.layer}});
      choice.least = std::min(choice.least, differences[i].mean);
      choice.most = std::max(choice.most, differences[i].mean);
      own.back().push_back(differences[i]);
    }
    const Situation& first = situations[members.front()];
    choice.family = first.family;
    choice.batches = first.batches;
    choice.normalization_batch = first.normalization_batch;
    choice.situations = static_cast<std::int64_t>(members.size());
    choice.contrast = measure_between(plan, batch, layer, lower);
    choices.push_back(std::move(choice));
  }
  std::vector<MeasuredContrast*> measured;
  for (Choice& choice : choices) measured.push_back(&choice.contrast);
  judge(std::vector<const ClaimContrast*>(choices.size(), &lower), measured);
  for (std::size_t i = 0; i < choices.size(); ++i) choose(own[i], choices[i]);
  return choices;
}

nlohmann::json choices_json(const std::vector<Choice>& choices) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  nlohmann::json found = nlohmann::json::array();
  for (const Choice& choice : choices) {
    const Interval& effect = choice.contrast.effect;
    const nlohmann::json chosen = choice.chosen == Chosen::kNeither ? nlohmann::json(nullptr)
                                  : choice.chosen == Chosen::kBatch ? nlohmann::json("batch")
                                                                    : nlohmann::json("layer");
    found.push_back({{"family", family_name(choice.family)},
                     {"batches", choice.batches},
                     {"normalization_batch", choice.normalization_batch},
                     {"situations", choice.situations},
                     {"n", choice.contrast.seeds},
                     {"least", number(choice.least * kPoints)},
                     {"most", number(choice.most * kPoints)},
                     {"difference",
                      interval_json({effect.mean * kPoints, effect.low * kPoints, effect.high * kPoints}, -kAny, kAny)},
                     {"p_holm", number(choice.contrast.p_holm)},
                     {"against", choice.against},
                     {"choice", chosen}});
  }
  return found;
}

}  // namespace norma::lab
