// norma verify: through the door, and behind it with broken kernels in the place of ours.
#include <gmock/gmock.h>

#include <cctype>
#include <nlohmann/json.hpp>

#include "norma/machine.h"
#include "run_command.h"
#include "verification.h"

namespace norma::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Verify, FindsEveryInstructionSetOfThisMachineWell) {
  const Outcome outcome = run({NORMA_COMMAND, "verify"});
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_THAT(outcome.err, IsEmpty());
  for (const std::string& isa : available_isas()) {
    EXPECT_THAT(outcome.out, AllOf(HasSubstr(isa + std::string(10 - isa.size(), ' ') + "f32"),
                                   HasSubstr(isa + std::string(10 - isa.size(), ' ') + "f64")));
  }
  EXPECT_THAT(outcome.out, HasSubstr("(f32: 2^-24, f64: 2^-53, bf16: 2^-8, f16: 2^-11)"));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("All is well"), HasSubstr("The same bits on 1, 2, 3 and 8 threads")));
}

TEST(Verify, SaysWhatIsInUse) {
  const std::string forced = available_isas().back();
  const Outcome outcome =
      run({NORMA_COMMAND, "verify", "--isa", forced}, {.environment = {{"NORMA_FORCE_ISA", forced}}});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("In use here: " + forced + ", of " + available_isas().front()),
                                 HasSubstr("; up to " + std::to_string(max_threads()) + " threads\n")));
}

TEST(Verify, PrintsJson) {
  const Outcome outcome = run({NORMA_COMMAND, "verify", "--json", "--isa", available_isas().back()});
  ASSERT_EQ(outcome.code, 0) << outcome.out;
  const nlohmann::json found = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(found.at("format"), "norma-verify/1");
  EXPECT_EQ(found.at("ok"), true);
  EXPECT_EQ(found.at("in_use"), current_isa());
  EXPECT_EQ(found.at("instruction_sets"), nlohmann::json::array({available_isas().back()}));
  EXPECT_EQ(found.at("errors").size(), kDTypes.size() * reference::kOperations.size());
  for (const nlohmann::json& row : found.at("errors")) {
    EXPECT_GT(row.at("error"), 0);
    EXPECT_LE(row.at("error"), row.at("limit"));
    EXPECT_GT(row.at("exams"), 100);
  }
}

TEST(Verify, RefusesAnInstructionSetThatIsNotThere) {
  const Outcome outcome = run({NORMA_COMMAND, "verify", "--isa", "mmx"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("mmx"), HasSubstr(available_isas().front())));
  const std::string isa = available_isas().front();
  std::string capitals = isa;
  for (char& c : capitals) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_THAT(run({NORMA_COMMAND, "verify", "--isa", capitals}).err, HasSubstr("did you mean '" + isa + "'?"));
}

TEST(Verify, HasHelp) {
  const Outcome outcome = run({NORMA_COMMAND, "verify", "--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("--isa"), HasSubstr("--json"), HasSubstr("Exit code")));
}

// One instruction set is enough for what follows.
cli::VerificationOptions options_with(const reference::Subject& subject) {
  return {available_isas().front(), subject};
}

TEST(Verification, FailsWhenOneElementIsAFewUnitsOff) {
  reference::Subject broken;
  broken.forward = [](const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta,
                      TensorView y, TensorView mean, TensorView rstd, MaskView mask, const Fusion&) {
    forward(descriptor, x, gamma, beta, y, mean, rstd, mask);
    if (y.dtype() == DType::kFloat32) static_cast<float*>(y.data())[y.shape().elements() - 1] *= 1 + 0x1p-16F;
  };
  const cli::Verification found = cli::verify(options_with(broken));
  EXPECT_FALSE(found.ok());
  for (const cli::VerifiedRow& row : found.rows) {
    const bool is_broken = row.operation == reference::Operation::kForward && row.dtype == DType::kFloat32;
    EXPECT_EQ(row.ok(), !is_broken) << reference::name_of(row.operation) << " " << name_of(row.dtype);
    EXPECT_TRUE(!is_broken || row.worst.starts_with("forward of"));
  }
}

TEST(Verification, FailsWhenDgammaAndDbetaAreSwapped) {
  reference::Subject broken;
  broken.backward = [](const Descriptor& descriptor, ConstTensorView dy, ConstTensorView x, ConstTensorView gamma,
                       ConstTensorView mean, ConstTensorView rstd, TensorView dx, TensorView dgamma, TensorView dbeta,
                       MaskView mask, const FusionGradient&) {
    backward(descriptor, dy, x, gamma, mean, rstd, dx, dbeta, dgamma, mask);
  };
  EXPECT_FALSE(cli::verify(options_with(broken)).ok());
}

TEST(Verification, FailsWhenTheMaskIsForgotten) {
  reference::Subject broken;
  broken.inference = [](const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta,
                        ConstTensorView mean, ConstTensorView variance, TensorView y, MaskView,
                        const Fusion&) { inference(descriptor, x, gamma, beta, mean, variance, y); };
  const cli::Verification found = cli::verify(options_with(broken));
  for (const cli::VerifiedRow& row : found.rows) {
    EXPECT_EQ(row.ok(), row.operation != reference::Operation::kInference) << row.worst;
    EXPECT_TRUE(row.ok() || row.worst.find("masked") != std::string::npos) << row.worst;
  }
}

TEST(Verification, FailsWhenBitsDependOnTheThreads) {
  reference::Subject broken;
  broken.statistics = [](const Descriptor& descriptor, ConstTensorView x, TensorView mean, TensorView m2,
                         MaskView mask) {
    const std::int64_t count = statistics(descriptor, x, mean, m2, mask);
    // One bit, far below any error limit.
    if (max_threads() == 3 && mean.dtype() == DType::kFloat64) {
      reinterpret_cast<std::uint64_t*>(mean.data())[0] ^= 1U;
    }
    return count;
  };
  const cli::Verification found = cli::verify(options_with(broken));
  EXPECT_FALSE(found.ok());
  ASSERT_EQ(found.bits.size(), 1);
  EXPECT_GT(found.bits[0].differing, 0);
  EXPECT_THAT(found.bits[0].first, HasSubstr("3 threads"));
}

TEST(Verification, LeavesTheMachineAsItWas) {
  const std::string isa = current_isa();
  const int threads = max_threads();
  (void)cli::verify({available_isas().back(), {}});
  EXPECT_EQ(current_isa(), isa);
  EXPECT_EQ(max_threads(), threads);
}

}  // namespace
}  // namespace norma::testing
