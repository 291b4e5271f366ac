#include "lab/claims/words.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/results/verdict.h"

namespace norma::lab {
namespace {

using nlohmann::json;

int digits_of(const json& contrast) {
  return text_of(contrast.at("unit")).starts_with("points") ? 1 : 2;
}

// One number of an effect; infinite ones have their sign apart. "?": there are too few seeds to know.
std::string number_text(const json& effect, const char* name, int digits) {
  const json& value = effect.at(name);
  if (!value.is_null()) {
    const std::string text = fmt::format("{:.{}f}", value.get<double>(), digits);
    return text.find_first_of("123456789") == std::string::npos && text.front() == '-' ? text.substr(1) : text;
  }
  if (!effect.contains("infinite") || !effect.at("infinite").contains(name)) return "?";
  return effect.at("infinite").at(name) == 1 ? "∞" : "-∞";
}

std::string p_text(double p) {
  return p < 0.0001 ? "p < 0.0001" : fmt::format("p = {:.4f}", p);
}

// What the claim asks of the effect.
std::string asked(const json& contrast) {
  const std::string claimed = text_of(contrast.at("claimed"));
  if (claimed != "same") return claimed == "a lower" ? "below 0" : "above 0";
  const std::string unit = text_of(contrast.at("unit"));
  return fmt::format("within {:g}{}{} of 0", contrast.at("margin").get<double>(), unit.empty() ? "" : " ", unit);
}

std::string opposite(const json& contrast) {
  const std::string claimed = text_of(contrast.at("claimed"));
  return claimed == "same" ? "further from 0 than that" : claimed == "a lower" ? "above 0" : "below 0";
}

// Why neither is shown.
std::string open_text(const json& contrast) {
  if (contrast.at("learned") == false) {
    return "It decides nothing: at some model neither side is better than always answering what is most frequent.";
  }
  const json& p = contrast.at("p_holm");
  if (!p.is_null() && p.get<double>() >= kLevel) {
    return fmt::format("The claim asks for {}; neither that nor the opposite is shown ({} after Holm's correction).",
                       asked(contrast), p_text(p.get<double>()));
  }
  return fmt::format(
      "The claim asks for {}; the interval reaches across that bound, so neither it nor the opposite is "
      "shown.",
      asked(contrast));
}

}  // namespace

std::string text_of(const json& value) {
  return value.get<std::string>();
}

std::string effect_text(const json& contrast) {
  const json& effect = contrast.at("effect");
  if (effect.is_null()) return "not measured";
  const std::string unit = text_of(contrast.at("unit"));
  const int digits = digits_of(contrast);
  return fmt::format("{} [{}, {}]{}{}", number_text(effect, "mean", digits), number_text(effect, "low", digits),
                     number_text(effect, "high", digits), unit.empty() ? "" : " ", unit);
}

std::string answer_effect_text(const json& contrast) {
  const bool each = contrast.at("reduce") == "each" && !contrast.at("effect").is_null();
  return (each ? "the largest: " : "") + effect_text(contrast);
}

std::string comparison_text(const json& contrast) {
  return fmt::format("{} less {}, {}: {}", text_of(contrast.at("a")), text_of(contrast.at("b")),
                     text_of(contrast.at("measure")), effect_text(contrast));
}

std::string standing_text(const json& contrast) {
  const std::string standing = text_of(contrast.at("standing"));
  if (standing == "not measured") return "It is not measured yet.";
  if (standing == "open") return open_text(contrast);
  const std::string p = p_text(contrast.at("p_holm").get<double>());
  const std::int64_t seeds = contrast.at("n").get<std::int64_t>();
  return standing == "shown"
             ? fmt::format("The claim asks for {}, and that is shown ({} after Holm's correction, {} seeds).",
                           asked(contrast), p, seeds)
             : fmt::format("The claim asks for {}; it is shown to be {} ({} after Holm's correction, {} seeds).",
                           asked(contrast), opposite(contrast), p, seeds);
}

std::string target_text(const json& contrast) {
  const json& target = contrast.at("target");
  if (target.is_null()) return "";
  const auto side = [&](const char* name) {
    return fmt::format("{} of {} trainings", target.at(name).at("reached").get<std::int64_t>(),
                       target.at(name).at("trials").get<std::int64_t>());
  };
  return fmt::format("The target is reached in {} with {} and in {} with {}; where it is not, the whole budget counts.",
                     side("a"), text_of(contrast.at("a")), side("b"), text_of(contrast.at("b")));
}

std::string exact_text(const json& checks) {
  const auto holding = std::count_if(checks.begin(), checks.end(), [](const json& c) { return c.at("holds") == true; });
  return fmt::format("{} of {} exact checks hold", holding, checks.size());
}

std::int64_t seeds_of(const json& claim) {
  if (!claim.at("primary").is_null()) return claim.at("primary").at("n").get<std::int64_t>();
  std::int64_t n = 0;
  for (const json& check : claim.at("exact")) n = std::max(n, check.at("n").get<std::int64_t>());
  return n;
}

std::string signs_text(const json& claims) {
  bool infinite = false, unknown = false;
  const auto look = [&](const json& contrast) {
    const std::string effect = effect_text(contrast);
    infinite = infinite || effect.find("∞") != std::string::npos;
    unknown = unknown || effect.find('?') != std::string::npos;
  };
  for (const json& claim : claims) {
    if (!claim.at("primary").is_null()) look(claim.at("primary"));
    for (const json& qualifier : claim.at("qualifiers")) look(qualifier);
  }
  std::string text;
  if (infinite) {
    text =
        "∞: trials diverged or crashed, which by this measure is infinitely bad (or, where it has no worse side, "
        "counts against the claim); such an effect is a median over seeds.";
  }
  if (unknown) text += std::string(text.empty() ? "" : " ") + "?: too few seeds to say.";
  return text;
}

std::string counted(std::int64_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string shared_text(const json& claim) {
  std::string text;
  for (const json& shared : claim.at("shares")) {
    text += fmt::format("{}{} of them are trials of claim {} too", text.empty() ? "" : ", ",
                        shared.at("trials").get<std::int64_t>(), shared.at("claim").get<std::int64_t>());
  }
  return text;
}

}  // namespace norma::lab
