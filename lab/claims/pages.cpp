#include "lab/claims/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "lab/claims/answers.h"
#include "lab/claims/pictures.h"
#include "lab/claims/recommend.h"
#include "lab/claims/words.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

using nlohmann::json;

std::int64_t count_of(const json& value) {
  return value.get<std::int64_t>();
}

std::string answer_text(const json& claim) {
  if (claim.at("primary").is_null()) return exact_text(claim.at("exact"));
  const std::string effect = answer_effect_text(claim.at("primary"));
  return claim.at("exact").empty() ? effect : exact_text(claim.at("exact")) + "; " + effect;
}

std::string p_text(const json& p) {
  if (p.is_null()) return "";
  return p.get<double>() < 0.0001 ? "< 0.0001" : fmt::format("{:.4f}", p.get<double>());
}

std::vector<const json*> parts_of(const json& results, const json& claim) {
  std::vector<const json*> parts;
  if (!results.contains("parts")) return {&results};
  for (const json& part : results.at("parts")) {
    for (const json& name : claim.at("parts")) {
      if (part.at("name") == name) parts.push_back(&part);
    }
  }
  return parts;
}

std::string cell_text(const json& cell) {
  const json& error = cell.at("error");
  if (error.is_null()) return "";
  const std::string mean = fmt::format("{:.1f}", 100 * error.at("mean").get<double>());
  if (error.at("low").is_null()) return mean;
  return fmt::format("{} [{:.1f}, {:.1f}]", mean, 100 * error.at("low").get<double>(),
                     100 * error.at("high").get<double>());
}

// An arm's row at a model; empty if the model has not the arm.
std::string arm_row(const json& part, const json& model, const json& arm, std::size_t columns) {
  std::string cells;
  for (const json& cell : part.at("cells")) {
    if (cell.at("model") != model.at("name") || cell.at("arm") != arm.at("name")) continue;
    cells += " " + cell_text(cell) + " |";
    for (std::size_t i = 1; cell.at("normalization_batch").is_null() && i < columns; ++i) cells += " same |";
  }
  return cells.empty() ? "" : fmt::format("| {} |{}\n", text_of(arm.at("label")), cells);
}

// One model: arms down, normalization batches across.
std::string model_table(const json& part, const json& model) {
  std::set<std::int64_t> batches;
  for (const json& cell : part.at("cells")) {
    const json& batch = cell.at("normalization_batch");
    if (cell.at("model") == model.at("name") && !batch.is_null()) batches.insert(count_of(batch));
  }
  const std::size_t columns = std::max<std::size_t>(1, batches.size());
  std::string text = fmt::format("| {} |", text_of(model.at("label")));
  for (const std::int64_t batch : batches) text += fmt::format(" {} |", batch);
  if (batches.empty()) text += " |";
  text += "\n|---|";
  for (std::size_t i = 0; i < columns; ++i) text += "--:|";
  text += "\n";
  for (const json& arm : part.at("arms")) text += arm_row(part, model, arm, columns);
  return text;
}

// What was measured besides the test error, of one model: a column a measure. Those of single layers would be many.
std::string measures_table(const json& part, const json& model) {
  std::set<std::string> names;
  for (const json& cell : part.at("cells")) {
    if (cell.at("model") != model.at("name")) continue;
    for (const auto& [name, interval] : cell.at("measures").items()) {
      if (name.find('[') == std::string::npos && name != "train_error") names.insert(name);
    }
  }
  if (names.empty()) return "";
  std::string text = fmt::format("| {}: mean over seeds |", text_of(model.at("label"))), line = "\n|---|";
  for (const std::string& name : names) {
    text += fmt::format(" {} |", name);
    line += "--:|";
  }
  text += line + "\n";
  for (const json& cell : part.at("cells")) {
    if (cell.at("model") != model.at("name") || cell.at("measures").empty()) continue;
    const json& batch = cell.at("normalization_batch");
    text += fmt::format("| {}{} |", arm_label(part, cell.at("arm")), batch.is_null() ? "" : ", " + batch.dump());
    for (const std::string& name : names) {
      const bool there = cell.at("measures").contains(name) && !cell.at("measures").at(name).at("mean").is_null();
      const double mean = there ? cell.at("measures").at(name).at("mean").get<double>() : 0;
      const bool error = name.starts_with("error");
      const std::int64_t lost = there ? cell.at("measures").at(name).value("lost", std::int64_t{0}) : 0;
      const std::string without = lost == 0 ? "" : fmt::format(" ({} lost)", lost);
      text += !there  ? " |"
              : error ? fmt::format(" {:.1f}%{} |", 100 * mean, without)
                      : fmt::format(" {:.3g}{} |", mean, without);
    }
    text += "\n";
  }
  return text + "\n";
}

std::string part_text(const json& part, bool named) {
  const json& training = part.at("training");
  std::string text = named ? fmt::format("### {}\n\n", text_of(part.at("name"))) : "";
  const json& majority = part.at("data").at("majority_error");
  text += fmt::format("{}, {} training samples, SGD batch {}, {} steps. ", text_of(part.at("data").at("name")),
                      count_of(part.at("data").at("train")), count_of(training.at("sgd_batch")),
                      count_of(training.at("steps")));
  if (!majority.is_null()) {
    text += fmt::format("Always answering what is most frequent errs by {:.1f}%. ", 100 * majority.get<double>());
  }
  text += fmt::format("Test error in % with its 95% interval{}:\n\n",
                      part.at("normalization_batches").empty() ? "" : ", over the normalization batch");
  for (const json& model : part.at("models")) {
    text += model_table(part, model) + "\n" + measures_table(part, model);
  }
  return text;
}

// What the verdict rests on, in words that follow from the numbers.
std::string reading(const json& claim) {
  std::string verdict = text_of(claim.at("verdict"));
  verdict.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(verdict.front())));
  std::string text = fmt::format("**{}.**", verdict);
  const json& primary = claim.at("primary");
  if (!claim.at("exact").empty()) text += " " + exact_text(claim.at("exact")) + ".";
  if (!primary.is_null()) {
    text += fmt::format(" The primary contrast is {}. {}", comparison_text(primary), standing_text(primary));
    if (const std::string target = target_text(primary); !target.empty()) text += " " + target;
  }
  if (!claim.at("recommender").is_null()) text += " " + recommendation_text(claim.at("recommender"));
  std::string besides;
  for (const json& qualifier : claim.at("qualifiers")) {
    if (qualifier.at("holds") != true) continue;
    const char* link = !besides.empty() ? "; and" : verdict == "Qualified" ? " But" : " Besides,";
    besides += fmt::format("{} {} ({})", link, text_of(qualifier.at("says")), effect_text(qualifier));
  }
  if (!besides.empty()) text += besides + ".";
  if (!claim.at("differs").is_null()) {
    text += fmt::format(" The literature would have it {}.", text_of(claim.at("expected_verdict")));
  }
  return text;
}

std::string number_text(const json& number) {
  return number.is_null() ? "" : fmt::format("{:.2f}", number.get<double>());
}

std::string contrast_row(const std::string& name, const json& contrast) {
  return fmt::format("| {} | {} less {} | {} | {} | {} | {} | {} | {} | {} |\n", name, text_of(contrast.at("a")),
                     text_of(contrast.at("b")), text_of(contrast.at("measure")), effect_text(contrast),
                     count_of(contrast.at("n")), number_text(contrast.at("effect_size")),
                     number_text(contrast.at("p_a_lower")), p_text(contrast.at("p_holm")),
                     text_of(contrast.at("standing")));
}

std::string contrasts_table(const json& claim) {
  const json& primary = claim.at("primary");
  if (primary.is_null() && claim.at("qualifiers").empty()) return "";
  std::string text =
      "| contrast | of | measure | effect [95% interval] | n | effect size | P(first lower) | p (Holm) | |\n"
      "|---|---|---|---|--:|--:|--:|--:|---|\n";
  if (!primary.is_null()) text += contrast_row("**primary**", primary);
  for (const json& qualifier : claim.at("qualifiers")) text += contrast_row(text_of(qualifier.at("says")), qualifier);
  return text + "\n";
}

// What the study warns of in these parts: what was lost, and rates at the edge of their grid.
std::string warnings_list(const json& results, const std::vector<const json*>& parts) {
  std::string text;
  for (const json& warning : results.at("warnings")) {
    const bool here = !results.contains("parts") || std::any_of(parts.begin(), parts.end(), [&](const json* part) {
      return part->contains("name") &&
             text_of(warning).find(fmt::format("in part '{}'", text_of(part->at("name")))) != std::string::npos;
    });
    if (here) text += fmt::format("- {}\n", text_of(warning));
  }
  return text.empty() ? "" : "What to read it with:\n\n" + text + "\n";
}

std::string exact_table(const json& checks) {
  if (checks.empty()) return "";
  std::string text = "| exact check | limit | worst | holds |\n|---|--:|--:|---|\n";
  for (const json& check : checks) {
    const bool most = !check.at("at_most").is_null();
    const json& worst = check.at("worst");
    text += fmt::format("| {} | {} {:g} | {} | {} |\n", text_of(check.at("measure")), most ? "at most" : "at least",
                        check.at(most ? "at_most" : "at_least").get<double>(),
                        worst.is_null() ? "" : fmt::format("{:.3g}", worst.get<double>()),
                        check.at("holds") == true ? "yes" : "no");
  }
  return text + "\n";
}

std::string claim_page(const json& results, const json& claim, const ClaimPicture& picture) {
  const std::int64_t number = count_of(claim.at("number"));
  std::string text = fmt::format("# Claim {}: {}\n\n", number, text_of(claim.at("says")));
  text += "Written by `norma claims` from the stored results, not by hand.\n\n" + reading(claim) + "\n\n";
  text += fmt::format("The literature: {}.\n\n", text_of(claim.at("expects")));
  if (!text_of(claim.at("limits")).empty())
    text += fmt::format("What this cannot say: {}.\n\n", text_of(claim.at("limits")));
  const std::string shared = shared_text(claim);
  text += fmt::format("{}, {}, {:.1f} minutes of one core{}{}.\n\n", counted(count_of(claim.at("trials")), "trial"),
                      counted(count_of(claim.at("steps")), "step"), claim.at("minutes").get<double>(),
                      shared.empty() ? "" : "; ", shared);
  if (!picture.svg.empty()) text += fmt::format("![{}](claim{}.svg)\n\n", picture.shows, number);
  text += contrasts_table(claim);
  if (const std::string signs = signs_text(json::array({claim})); !signs.empty()) text += signs + "\n\n";
  text += exact_table(claim.at("exact"));
  const auto parts = parts_of(results, claim);
  text += warnings_list(results, parts);
  for (const json* part : parts) {
    if (trains(*part)) text += part_text(*part, parts.size() > 1);
  }
  text.erase(text.find_last_not_of('\n') + 1);
  return text + "\n";
}

std::string duration(double seconds) {
  return seconds < 60 ? counted(std::lround(seconds), "second") : counted(std::lround(seconds / 60), "minute");
}

std::string overview(const json& results) {
  const json& run = results.at("run");
  std::string text = "# The article's claims, measured\n\nWritten by `norma claims` from the stored results of ";
  text += fmt::format("`norma study {}`, not by hand. {}\n\n", text_of(results.at("study").at("name")),
                      claims_headline(results.at("claims")));
  text += "| | the article says | verdict | effect [95% interval] | n | the literature | steps | minutes |\n";
  text += "|--:|---|---|---|--:|---|--:|--:|\n";
  std::string differing;
  for (const json& claim : results.at("claims")) {
    const std::int64_t number = count_of(claim.at("number"));
    const json& expected = claim.at("expected_verdict");
    const bool differs = !claim.at("differs").is_null();
    text += fmt::format("| [{0}](claim{0}.md) | {1} | **{2}** | {3} | {4} | {5}{6} | {7} | {8:.1f} |\n", number,
                        text_of(claim.at("says")), text_of(claim.at("verdict")), answer_text(claim), seeds_of(claim),
                        expected.is_null() ? "no verdict" : text_of(expected), differs ? ", differs" : "",
                        count_of(claim.at("steps")), claim.at("minutes").get<double>());
    if (!differs) continue;
    differing += fmt::format("- [Claim {0}](claim{0}.md): {1}: {2}\n", number, text_of(claim.at("differs")),
                             text_of(claim.at("expects")));
  }
  if (const std::string signs = signs_text(results.at("claims")); !signs.empty()) text += "\n" + signs + "\n";
  if (!differing.empty()) text += "\nWhere the literature has it otherwise:\n\n" + differing;
  const auto trials = run.at("trials").at("done").get<std::int64_t>();
  const double seconds = run.at("trial_seconds").at("total").get<double>();
  text += fmt::format("\n{} in {}{} on {}: {:.0f} trials a minute and core.\n", counted(trials, "trial"),
                      duration(run.at("seconds").get<double>()),
                      run.at("workers").is_null() ? "" : " with " + counted(count_of(run.at("workers")), "worker"),
                      run.at("machine").value("cpu", "an unnamed machine"),
                      60 * static_cast<double>(trials) / std::max(1.0, seconds));
  return text;
}

}  // namespace

std::map<std::string, std::string> claim_pages(const json& results) {
  if (!results.contains("claims")) throw InputError("the study makes no claims");
  std::map<std::string, std::string> pages{{"README.md", overview(results)}};
  for (const json& claim : results.at("claims")) {
    const std::string name = fmt::format("claim{}", count_of(claim.at("number")));
    ClaimPicture picture = claim_picture(claim, parts_of(results, claim));
    pages[name + ".md"] = claim_page(results, claim, picture);
    if (!picture.svg.empty()) pages[name + ".svg"] = std::move(picture.svg);
  }
  return pages;
}

}  // namespace norma::lab
