// Which contrasts are corrected together, on results made up to give known p-values.
#include "lab/results/contrasts.h"

#include <gtest/gtest.h>

#include <string>

namespace norma::lab {
namespace {

constexpr std::int64_t kItems = 100, kSeedCount = 10;

// Wrong on `wrong` items at every seed, and on as many more as the seed's number: differences vary, all of one sign.
Cell cell(std::size_t model, const std::string& arm, std::int64_t batch, std::int64_t wrong) {
  Cell made;
  made.model = model;
  made.arm = arm;
  made.normalization_batch = batch;
  for (std::int64_t seed = 0; seed < kSeedCount; ++seed) {
    TrialResult result;
    const auto count = static_cast<std::size_t>(wrong + (wrong > 0 ? seed : 0));
    result.test_wrong = std::string(count, '1') + std::string(static_cast<std::size_t>(kItems) - count, '0');
    result.test_error = static_cast<double>(count) / static_cast<double>(kItems);
    made.final.emplace_back(result);
  }
  return made;
}

TEST(Contrasts, CorrectSecondaryOnesModelByModel) {
  StudySpec spec;
  spec.data.test = kItems;
  spec.models.resize(2);
  spec.models[0].spec.name = "one";
  spec.models[1].spec.name = "two";
  spec.contrasts = {{.a = "batch", .b = "layer", .models = {"one", "two"}, .normalization_batches = {2}}};
  std::vector<Cell> cells;
  for (const std::size_t model : {0U, 1U}) {
    cells.push_back(cell(model, "batch", 2, 40));
    cells.push_back(cell(model, "layer", 0, 0));
    cells.push_back(cell(model, "none", 0, 20));
  }
  const std::vector<Contrast> contrasts = contrasts_of(spec, cells, true);
  const double smallest = 2.0 / 1024;  // of the sign-flip test at ten seeds
  ASSERT_EQ(contrasts.size(), 6U);
  for (const Contrast& contrast : contrasts) {
    EXPECT_DOUBLE_EQ(contrast.p, smallest);
    EXPECT_DOUBLE_EQ(contrast.p_holm, 2 * smallest);  // two primary ones; of each model two secondary ones
  }
  EXPECT_TRUE(contrasts[0].primary && contrasts[1].primary && !contrasts[2].primary);
  EXPECT_EQ(contrasts[0].outcome, Outcome::kBBetter);
}

}  // namespace
}  // namespace norma::lab
