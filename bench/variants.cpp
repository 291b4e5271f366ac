#include "variants.h"

#include <cstdio>
#include <memory>
#include <utility>

#include "cases.h"
#include "check.h"
#include "contender.h"
#include "machine.h"
#include "timing.h"

namespace norma::bench {
namespace {

constexpr const char* kCases[] = {
    "LN forward (N,C) 1024x256",      "LN backward (N,C) 1024x256",    "LN forward (N,C) 8192x1024",
    "LN backward (N,C) 8192x1024",    "LN forward (N,C) 16384x4096",   "LN backward (N,C) 16384x4096",
    "BN forward NCHW 32x64x56x56",    "BN backward NCHW 32x64x56x56",  "BN forward NCHW 32x256x56x56",
    "BN inference NCHW 32x256x56x56", "BN backward NCHW 32x256x56x56", "BN forward NHWC 32x64x56x56",
    "BN backward NHWC 32x64x56x56",   "BN forward NHWC 32x256x56x56",  "BN inference NHWC 32x256x56x56",
    "BN backward NHWC 32x256x56x56",  "GN forward NCHW 32x64x56x56",   "GN backward NCHW 32x64x56x56",
};

// A tensor as samples and positions, whatever its layout.
class Places {
 public:
  explicit Places(const Case& c)
      : channels_(c.rows() ? c.shape[1] : c.channels()),
        positions_(c.positions()),
        first_(c.layout == Layout::kChannelsFirst) {}
  std::int64_t channels() const { return channels_; }
  // Of channel k at a sample and position, counted through.
  std::size_t at(std::int64_t place, std::int64_t k) const {
    const std::int64_t n = place / positions_;
    const std::int64_t p = place % positions_;
    return static_cast<std::size_t>(first_ ? (n * channels_ + k) * positions_ + p : place * channels_ + k);
  }

 private:
  std::int64_t channels_, positions_;
  bool first_;
};

// Calls visit(place, index of the row among the valid ones) for what is not padding, and returns how many there are.
template <class Visit>
std::int64_t for_valid(const std::vector<std::uint8_t>& mask, Visit visit) {
  std::int64_t row = 0;
  for (std::size_t place = 0; place < mask.size(); ++place) {
    if (mask[place] != 0) visit(static_cast<std::int64_t>(place), row++);
  }
  return row;
}

// What a masked call is to give: the valid places packed as rows (N,C), normalized by libtorch in f64, and put back
// between zeros. Of norms whose statistic is a row or a channel over all of the batch.
Answers masked_answers(const Case& c, const Inputs& inputs) {
  const Places places(c);
  const std::vector<std::uint8_t> mask = padding(c);
  const auto channels = static_cast<std::size_t>(places.channels());
  Inputs packed = inputs;
  const std::int64_t rows = for_valid(mask, [](std::int64_t, std::int64_t) {});
  const auto pack = [&](const std::vector<float>& from, std::vector<float>& to) {
    if (from.empty()) return;
    to.resize(static_cast<std::size_t>(rows) * channels);
    for_valid(mask, [&](std::int64_t place, std::int64_t row) {
      for (std::size_t k = 0; k < channels; ++k) {
        to[static_cast<std::size_t>(row) * channels + k] = from[places.at(place, static_cast<std::int64_t>(k))];
      }
    });
  };
  pack(inputs.x, packed.x);
  pack(inputs.dy, packed.dy);
  if (c.rows()) {
    const auto pick = [&](const std::vector<float>& from, std::vector<float>& to) {
      to.clear();
      for_valid(mask, [&](std::int64_t place, std::int64_t) { to.push_back(from[static_cast<std::size_t>(place)]); });
    };
    pick(inputs.mean, packed.mean);
    pick(inputs.rstd, packed.rstd);
    pick(inputs.variance, packed.variance);
  }
  const Answers dense =
      reference_answers({c.norm, c.operation, {rows, places.channels()}, Layout::kChannelsFirst}, packed);
  Answers spread{std::vector<float>(inputs.x.size()), dense.dgamma, dense.dbeta};
  for_valid(mask, [&](std::int64_t place, std::int64_t row) {
    for (std::size_t k = 0; k < channels; ++k) {
      spread.main[places.at(place, static_cast<std::int64_t>(k))] =
          dense.main[static_cast<std::size_t>(row) * channels + k];
    }
  });
  return spread;
}

// GroupNorm's packed rows are no rows.
bool takes_mask(const Case& c) {
  return c.rows() || c.norm == Norm::kBatch;
}

// Half a unit in the last place of a stored 2 to 4 standard deviations, and the inputs' own rounding.
double tolerance_of(Variant variant) {
  return variant == Variant::kBFloat16 ? 2e-2 : variant == Variant::kFloat16 ? 3e-3 : 1e-5;
}

void print_variants_header() {
  std::printf(
      "\nOurs beside ours, outputs preallocated; ratio: f32's time / its own (masked: a quarter of the positions)\n");
  std::printf("%-36s %2s %10s %10s %6s %10s %6s %10s %6s\n", "case", "t", "f32 us", "bf16 us", "ratio", "f16 us",
              "ratio", "masked us", "ratio");
}

// Prints a row and gives it as JSON. Wanted of the short types: what is out of cache moves half the bytes.
nlohmann::json measured(const Case& c, int threads, const std::vector<std::unique_ptr<Contender>>& contenders,
                        const std::vector<double>& medians) {
  const bool in_cache = c.bytes() <= reachable_cache_bytes();
  nlohmann::json row{{"case", c.name()}, {"threads", threads}, {"bytes", c.bytes()}, {"in_cache", in_cache}};
  std::printf("%-36s %2d %10.1f", c.name().c_str(), threads, medians.front() * 1e6);
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    const std::string variant = contenders[i]->name();
    row["seconds"][variant] = medians[i];
    if (i == 0) continue;
    const double ratio = medians.front() / medians[i];
    row["ratio"][variant] = ratio;
    std::printf(" %10.1f %5.2fx", medians[i] * 1e6, ratio);
    if (in_cache || variant == "masked") continue;
    row["targets"].push_back({{"what", "f32, as " + variant},
                              {"wanted", kShortWanted},
                              {"reached", ratio},
                              {"at_the_roof", 0.0},
                              {"met", ratio >= kShortWanted}});
  }
  std::printf("\n");
  std::fflush(stdout);
  return row;
}

}  // namespace

nlohmann::json variants(const std::vector<std::string>& patterns, const std::vector<int>& threads, double budget,
                        bool quick) {
  nlohmann::json rows = nlohmann::json::array();
  for (const char* name : kCases) {
    const std::vector<Case> found = cases_like({name}, quick);
    if (found.empty() || !matches(name, patterns)) continue;
    if (rows.empty()) print_variants_header();
    const Case& c = found.front();
    const Inputs inputs = make_inputs(c);
    std::vector<std::unique_ptr<Contender>> contenders;
    std::vector<Variant> ours;
    for (const Variant variant : {Variant::kFloat32, Variant::kBFloat16, Variant::kFloat16, Variant::kMasked}) {
      if (variant == Variant::kMasked && !takes_mask(c)) continue;
      contenders.push_back(make_norma_variant(c, inputs, variant));
      ours.push_back(variant);
    }
    const Answers dense = reference_answers(c, inputs);
    const Answers masked = takes_mask(c) ? masked_answers(c, inputs) : Answers();
    for (const int count : threads) {
      use_threads(count);
      for (std::size_t i = 0; i < ours.size(); ++i) {
        check(c, *contenders[i], ours[i] == Variant::kMasked ? masked : dense, tolerance_of(ours[i]));
      }
      rows.push_back(measured(c, count, contenders, time_in_turns(contenders, budget)));
    }
  }
  return rows;
}

}  // namespace norma::bench
