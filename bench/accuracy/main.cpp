// norma-accuracy: the contract's measures on this machine, ours beside libtorch and oneDNN on the same inputs, as a
// page in Markdown. Exit code 1 if ours breaks the contract.
//   norma-accuracy [--nist FOLDER] [--commit TEXT]
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "../machine.h"
#include "bits.h"
#include "norma/machine.h"
#include "reference/cases.h"
#include "reference/compare.h"
#include "reference/nist.h"
#include "reference/quad.h"
#include "score.h"

namespace norma::accuracy {
namespace {

using reference::Norm;
using Systems = std::vector<std::unique_ptr<System>>;

class Page {
 public:
  explicit Page(Systems systems) : systems_(std::move(systems)) {}

  void head(const std::string& commit) const {
    std::string isas;
    for (const std::string& isa : available_isas()) isas += (isas.empty() ? "" : ", ") + isa;
    fmt::print(
        "# Accuracy\n\n"
        "Made by `script/accuracy` from commit {} on {} ({}; ours on {}); do not edit. Every number was measured in "
        "that "
        "run. A ✗ marks what is wrong by the rule above its table; a – that the library has no such thing.\n\n",
        commit, bench::cpu_name(), isas, current_isa());
  }

  void numbers() {
    fmt::print(
        "## Traps that are numbers\n\n"
        "Inputs that broke other systems. The largest error of y, in units of roundoff of |γ|(|x̂| + 1) + |β|, against "
        "the definition in quadruple precision; where there is a "
        "gradient, also that of dx in units of what adds up to it, and of dγ and dβ over their largest entry; of bf16 "
        "and f16 also how many of y are not correctly rounded. Wrong: over {:.0f} units (4 in bf16 and f16), 1e-3, or "
        "further off than a neighbour. Ours must stay within 4 units even of |γ x̂| + |β|, and within 8, 1e-6 (two "
        "units "
        "of a short dγ) and 0.1%.\n\n",
        kWrong);
    header({"trap", "input", "measured"});
    for (const Trap& trap : reference::traps()) {
      std::vector<Score> scores;
      for (const auto& system : systems_) scores.push_back(score(*system, trap));
      hold(scores.front(), trap.what);
      row({std::to_string(trap.number), trap.what, "y"}, scores, neighbours_cell);
      if (is_short(trap.dtype)) row({"", "", "y off"}, scores, rounding_cell);
      if (!trap.dy.empty()) row({"", "", "dx; dγ; dβ"}, scores, gradient_cell);
    }
    fmt::print("\n");
  }

  void calls() {
    fmt::print("## Traps that are calls\n\n");
    header({"trap", "call", "right is"});
    for (const CallText& text : kCalls) {
      fmt::print("| {} | {} | {} |", text.number, text.what, text.right);
      const bool error_is_right = std::string(text.right).find("error") != std::string::npos;
      for (const auto& system : systems_) {
        std::optional<Said> said;
        try {
          said = system->call(text.call);
        } catch (const std::exception&) {
          // An error leaves running statistics as they were, and finite.
          const bool right = error_is_right || std::string(text.right).find("finite") != std::string::npos;
          said = Said{right, "an error"};
        }
        fmt::print(" {} |", !said ? "–" : (said->right ? "" : "✗ ") + said->what);
        if (system == systems_.front() && (!said || !said->right)) broken(text.what);
      }
      fmt::print("\n");
    }
    fmt::print("\n");
  }

  void nist(const std::string& folder) {
    std::vector<reference::NistSet> sets = reference::generated_nist_sets();
    std::vector<std::string> skipped;
    for (const char* name : reference::kNistFiles) {
      if (auto set = reference::read_nist_set(folder, name)) {
        sets.push_back(std::move(*set));
      } else {
        sets.push_back({name, {}, 0, 0});
        skipped.emplace_back(name);
      }
    }
    std::ranges::sort(sets, {}, &reference::NistSet::name);
    fmt::print(
        "## NIST's reference data\n\n"
        "Correct digits of the standard deviation (log relative error) that the training pass of BatchNorm finds, in "
        "f64, against the certified value; 15 is all it has. The ceiling is what the f64 inputs allow: that of the "
        "exact deviation of the inputs as rounded.\n\n");
    fmt::print("| set | E[x²]−mean² | Welford | ceiling |");
    for (const auto& system : systems_) fmt::print(" {} |", system->name());
    fmt::print("\n|---|--:|--:|--:|");
    for (std::size_t i = 0; i < systems_.size(); ++i) fmt::print("--:|");
    fmt::print("\n");
    for (const reference::NistSet& set : sets) nist_row(set);
    if (!skipped.empty()) {
      fmt::print("\n**Skipped: {}.** Their files were not there when this page was made.\n", fmt::join(skipped, ", "));
      fmt::print(stderr, "norma-accuracy: skipped NIST's {}: {} has no {}.csv\n", fmt::join(skipped, ", "), folder,
                 fmt::join(skipped, ".csv, "));
    }
    fmt::print("\nIn f32, against exact arithmetic on the rounded inputs:\n\n| set |");
    for (const auto& system : systems_) fmt::print(" {} |", system->name());
    fmt::print("\n|---|");
    for (std::size_t i = 0; i < systems_.size(); ++i) fmt::print("--:|");
    fmt::print("\n");
    for (const reference::NistSet& set : sets) {
      if (set.x.empty()) continue;
      const Values x =
          reference::Tensor(set.x, DType::kFloat32, Shape{static_cast<std::int64_t>(set.x.size())}).values();
      fmt::print("| {} |", set.name);
      for (const auto& system : systems_) deviation_cell(*system, x, DType::kFloat32, reference::exact_deviation(x));
      fmt::print("\n");
    }
    fmt::print("\n");
  }

  void errors_over_ratio() {
    fmt::print(
        "## Error over mean / sigma\n\n"
        "x normal about a mean of so many standard deviations; γ and β random. In f64 from 1e15 on neighbouring "
        "numbers "
        "are an eighth of a standard deviation apart. The limits are those above, but y is shown in units of |γ x̂| + "
        "|β| alone, to which f32 of ours is held; f64, whose sums have no wider type to run in, is held to those of "
        "|γ|(|x̂| + 1) + |β|. Forward, and below it dx; dγ; dβ.\n\n");
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const std::vector<double> ratios = dtype == DType::kFloat32
                                             ? std::vector<double>{0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}
                                             : std::vector<double>{0, 1e1, 1e3, 1e5, 1e7, 1e9, 1e12, 1e15};
      fmt::print("| {} | system | |", norma::name_of(dtype));
      for (const double ratio : ratios) fmt::print(" {} |", ratio == 0 ? "0" : fmt::format("{:.0e}", ratio));
      fmt::print("\n|---|---|---|");
      for (std::size_t i = 0; i < ratios.size(); ++i) fmt::print("--:|");
      fmt::print("\n");
      ratio_rows("LayerNorm (64, 768)", Norm::kLayer, 1, {64, 768}, Layout::kChannelsFirst, dtype, ratios);
      ratio_rows("RMSNorm (64, 768)", Norm::kRms, 1, {64, 768}, Layout::kChannelsFirst, dtype, ratios);
      ratio_rows("BatchNorm NCHW (16, 24, 14, 14)", Norm::kBatch, 1, {16, 24, 14, 14}, Layout::kChannelsFirst, dtype,
                 ratios);
      ratio_rows("BatchNorm NHWC (16, 24, 14, 14)", Norm::kBatch, 1, {16, 24, 14, 14}, Layout::kChannelsLast, dtype,
                 ratios);
      ratio_rows("GroupNorm(6) NCHW (16, 24, 14, 14)", Norm::kGroup, 6, {16, 24, 14, 14}, Layout::kChannelsFirst, dtype,
                 ratios);
      fmt::print("\n");
    }
  }

  void bits() {
    fmt::print(
        "## Bits that differ\n\n"
        "How many results (y, dx, dγ, dβ of LayerNorm, RMSNorm, BatchNorm, GroupNorm and InstanceNorm and y of "
        "BatchNorm's inference, f32 and f64) differ in any bit from the same computed otherwise. Ours must be 0, but "
        "for "
        "the last line: the two layouts have their elements in another order in memory, and sums are taken in it.\n\n");
    header({"the same computed"});
    bits_line("with 1 to 16 threads", across_threads);
    bits_line("on every instruction set with FMA", across_isas, true);
    bits_line("alone, and elsewhere in another batch", across_batches);
    bits_line("channels-first and channels-last, inference", inference_across_layouts);
    bits_line("channels-first and channels-last, training", sums_across_layouts, false, true);
  }

  int result() const {
    for (const std::string& what : broken_) fmt::print(stderr, "norma-accuracy: broken: {}\n", what);
    return broken_.empty() ? 0 : 1;
  }

 private:
  void header(const std::vector<std::string>& columns) const {
    std::string line = "|", rule = "|";
    for (const std::string& column : columns) {
      line += " " + column + " |";
      rule += "---|";
    }
    for (const auto& system : systems_) {
      line += " " + system->name() + " |";
      rule += "--:|";
    }
    fmt::print("{}\n{}\n", line, rule);
  }

  void row(const std::vector<std::string>& columns, const std::vector<Score>& scores,
           std::string (*cell)(const Score&)) const {
    std::string line = "|";
    for (const std::string& column : columns) line += " " + column + " |";
    for (const Score& s : scores) line += " " + cell(s) + " |";
    fmt::print("{}\n", line);
  }

  void bits_line(const char* what, Count (*count)(System&), bool ours_alone = false, bool may_differ = false) {
    fmt::print("| {} |", what);
    for (const auto& system : systems_) {
      const bool ours = system == systems_.front();
      const Count found = ours || !ours_alone ? count(*system) : Count{};
      fmt::print(" {} |", found.cell());
      if (ours && !may_differ && found.differing > 0) broken(std::string("bits ") + what);
    }
    fmt::print("\n");
  }

  void broken(const std::string& what) { broken_.push_back(what); }

  // Ours to the contract. The sums of f64 have no wider type to run in: there an element is held to its neighbours.
  void hold(const Score& ours, const std::string& what) {
    const bool f64 = ours.dtype == DType::kFloat64;
    const double units = f64 ? ours.forward.among_neighbours : ours.forward.strict;
    const double most = is_short(ours.parameters) ? 2 * reference::roundoff(ours.parameters) : 1e-6;
    const bool sums = f64 || (ours.gradients.dgamma <= most && ours.gradients.dbeta <= most);
    const bool rounded =
        !is_short(ours.dtype) || (ours.rounding.far == 0 && ours.rounding.wrong <= 1 + ours.rounding.elements / 1000);
    const bool fine = ours.kind == Score::Kind::kMeasured && units <= 4 && rounded &&
                      (!ours.has_gradients || (ours.gradients.dx_units <= 8 && sums));
    if (!fine) broken(what);
  }

  void deviation_cell(System& system, const Values& x, DType dtype, double right) const {
    const std::optional<double> found = system.deviation(x, dtype);
    fmt::print(" {} |", found ? fmt::format("{:.1f}", std::max(0.0, reference::digits(*found, right))) : "–");
  }

  void nist_row(const reference::NistSet& set) {
    if (set.x.empty()) {
      fmt::print("| {} | skipped |\n", set.name);
      return;
    }
    long double sum = 0;
    double plain = 0, squares = 0, mean = 0, m2 = 0, n = 0;
    for (const double x : set.x) {
      sum += x;
      plain += x;
      squares += x * x;
      n += 1;
      const double distance = x - mean;
      mean += distance / n;
      m2 += distance * (x - mean);
    }
    const double naive = std::sqrt(std::max(0.0, (squares - plain * plain / n) / (n - 1)));
    const auto shown = [&](double found) {
      return fmt::format("{:.1f}", std::max(0.0, reference::digits(found, set.deviation)));
    };
    fmt::print("| {} | {} | {} | {} |", set.name, shown(naive), shown(std::sqrt(m2 / (n - 1))),
               shown(reference::exact_deviation(set.x)));
    for (const auto& system : systems_) deviation_cell(*system, set.x, DType::kFloat64, set.deviation);
    fmt::print("\n");
  }

  void ratio_rows(const std::string& name, Norm norm, std::int64_t part, const Shape& shape, Layout layout, DType dtype,
                  const std::vector<double>& ratios) {
    std::vector<std::string> forward(systems_.size()), backward(systems_.size());
    std::vector<bool> has(systems_.size(), false);
    for (const double ratio : ratios) {
      const Trap trap = problem(norm, part, shape, layout, dtype, ratio);
      for (std::size_t i = 0; i < systems_.size(); ++i) {
        const Score found = score(*systems_[i], trap);
        has[i] = has[i] || found.kind != Score::Kind::kNone;
        forward[i] += " " + forward_cell(found) + " |";
        backward[i] += " " + gradient_cell(found) + " |";
        if (i == 0) {
          hold(found, fmt::format("{} in {} at mean/sigma {}", name, norma::name_of(dtype), ratio));
        }
      }
    }
    for (std::size_t i = 0; i < systems_.size(); ++i) {
      if (!has[i]) continue;
      fmt::print("| {} | {} | y |{}\n", i == 0 ? name : "", systems_[i]->name(), forward[i]);
      fmt::print("| | | dx; dγ; dβ |{}\n", backward[i]);
    }
  }

  Systems systems_;
  std::vector<std::string> broken_;
};

}  // namespace
}  // namespace norma::accuracy

int main(int argc, char** argv) {
  CLI::App app{"The exactness of normalizations on this machine, as a page in Markdown."};
  std::string nist = "../shared/data/nist", commit = "unknown";
  app.add_option("--nist", nist, "The folder of NIST's sets Lew, Lottery, Mavro and Michelso as CSV files");
  app.add_option("--commit", commit, "What the page says it was made from");
  CLI11_PARSE(app, argc, argv);
  norma::accuracy::Systems systems;
  systems.push_back(norma::accuracy::make_norma());
  systems.push_back(norma::accuracy::make_libtorch());
  systems.push_back(norma::accuracy::make_onednn());
  norma::accuracy::Page page(std::move(systems));
  page.head(commit);
  page.numbers();
  page.calls();
  page.nist(nist);
  page.errors_over_ratio();
  page.bits();
  return page.result();
}
