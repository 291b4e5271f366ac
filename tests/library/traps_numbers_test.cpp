// What broke other systems, and has a tensor of numbers for an answer: reference/traps.h has the inputs. Each on every
// instruction set, against the definition in quadruple precision, within the contract: 4 units of roundoff of |gamma
// xhat| + |beta| forward, 8 of what adds up to dx backward, 1e-6 for dgamma and dbeta (f32). bf16 and f16: 999 of 1000
// correctly rounded and none further off than a neighbour.
#include <gmock/gmock.h>

#include <cmath>
#include <optional>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/compare.h"
#include "reference/quad.h"
#include "reference/traps.h"

namespace norma {
namespace {

using reference::Gradients;
using reference::Tensor;
using reference::Trap;
using reference::Values;

struct Answer {
  Values y;
  Gradients gradients;
  std::vector<std::byte> bits;  // of y and dx
};

std::optional<Tensor> parameter(const Values& values, const Trap& trap) {
  if (values.empty()) return std::nullopt;
  return std::optional<Tensor>(std::in_place, values, trap.parameters, affine_shape(trap.descriptor(), trap.shape));
}

ConstTensorView view_of(const std::optional<Tensor>& tensor) {
  return tensor ? tensor->view() : ConstTensorView();
}

Answer answer(const Trap& trap) {
  const Descriptor descriptor = trap.descriptor();
  const Shape statistics_size = statistics_shape(descriptor, trap.shape);
  const Tensor x(trap.x, trap.dtype, trap.shape, trap.layout, trap.misalign);
  const std::optional<Tensor> gamma = parameter(trap.gamma, trap), beta = parameter(trap.beta, trap);
  Tensor y(trap.dtype, trap.shape, trap.layout, trap.misalign);
  Tensor mean(DType::kFloat64, statistics_size), rstd(DType::kFloat64, statistics_size);
  forward(descriptor, x.view(), view_of(gamma), view_of(beta), y.view(), mean.view(), rstd.view());
  EXPECT_TRUE(y.guards_intact());
  Answer found{y.values(), {}, y.bytes()};
  if (trap.dy.empty()) return found;
  const Tensor dy(trap.dy, trap.dtype, trap.shape, trap.layout, trap.misalign);
  Tensor dx(trap.dtype, trap.shape, trap.layout, trap.misalign);
  Tensor dgamma(trap.parameters, affine_shape(descriptor, trap.shape));
  Tensor dbeta(trap.parameters, affine_shape(descriptor, trap.shape));
  backward(descriptor, dy.view(), x.view(), view_of(gamma), descriptor.centred ? mean.view() : TensorView(),
           rstd.view(), dx.view(), dgamma.view(), dbeta.view());
  EXPECT_TRUE(dx.guards_intact() && dgamma.guards_intact() && dbeta.guards_intact());
  found.gradients = {dx.values(), dgamma.values(), dbeta.values()};
  const std::vector<std::byte> bits = dx.bytes();
  found.bits.insert(found.bits.end(), bits.begin(), bits.end());
  return found;
}

bool has_fma(const std::string& isa) {
  return isa != "sse4" && isa != "scalar";
}

void expect_rounded(const Trap& trap, const Answer& found) {
  const reference::Rounding rounding =
      reference::forward_rounding(trap.descriptor(), trap.shape, trap.x, trap.gamma, trap.beta, found.y, trap.dtype);
  EXPECT_EQ(rounding.far, 0);
  EXPECT_LE(rounding.wrong, 1 + rounding.elements / 1000);
}

void expect_right(const Trap& trap) {
  std::vector<std::byte> bits;  // of the first instruction set with FMA
  for (const std::string& isa : available_isas()) {
    SCOPED_TRACE(std::to_string(trap.number) + ". " + trap.what + ", " + isa);
    force_isa(isa);
    const Answer found = answer(trap);
    const double allowed = has_fma(isa) ? 4 : 6;  // without FMA two more roundings
    EXPECT_LE(
        reference::forward_units(trap.descriptor(), trap.shape, trap.x, trap.gamma, trap.beta, found.y, trap.dtype)
            .strict,
        allowed);
    if (is_short(trap.dtype)) expect_rounded(trap, found);
    if (!trap.dy.empty()) {
      const reference::GradientErrors errors = reference::gradient_errors(
          trap.descriptor(), trap.shape, trap.dy, trap.x, trap.gamma, found.gradients, trap.dtype);
      EXPECT_LE(errors.dx_units, 8);
      const double sums = is_short(trap.parameters) ? 2 * reference::roundoff(trap.parameters) : 1e-6;
      EXPECT_LE(errors.dgamma, sums);
      EXPECT_LE(errors.dbeta, sums);
    }
    if (!has_fma(isa)) continue;
    if (bits.empty()) bits = found.bits;
    EXPECT_EQ(found.bits == bits, true) << "bits differ from those of " << available_isas().front();
  }
  force_isa("");
}

void expect_right(int number) {
  int seen = 0;
  for (const Trap& trap : reference::traps()) {
    if (trap.number != number) continue;
    ++seen;
    expect_right(trap);
  }
  EXPECT_GT(seen, 0);
}

// 1: output variance 48,426 (pytorch#51102).
TEST(Trap, AMeanOf2000LeavesVarianceOne) {
  expect_right(1);
}
// 2: variance 0 (pytorch#40302).
TEST(Trap, SmallDeviationsOfManyValuesAreSeen) {
  expect_right(2);
}
// 3: NaN (onnxruntime#28463, tvm#19592).
TEST(Trap, FourNeighboursFarFromZeroAreNormalized) {
  expect_right(3);
}
// 4: NaN (onnxruntime#21935).
TEST(Trap, AConstantRowIsBeta) {
  expect_right(4);
}
// 5: SIMD wrong where scalar was right (burn#5607).
TEST(Trap, EveryInstructionSetIsRightAtAMeanOf1000) {
  expect_right(5);
}
// 6: NaN (tt-metal#45968).
TEST(Trap, BatchNormInBf16NearAConstantIsNormalized) {
  expect_right(6);
}
// 7: negative variance (flax#1491, tensorflow#3290, Paddle#16654).
TEST(Trap, NearlyConstantDataHasItsOwnVariance) {
  expect_right(7);
}
// 8: NaN (mlx#2238).
TEST(Trap, SixteenValuesNear1449AreNormalized) {
  expect_right(8);
}
// 9: zeros or NaN (pytorch#162489, tt-metal#55159).
TEST(Trap, SquaresPastTheRangeOfF32AreNoTrouble) {
  expect_right(9);
}
// 10: x^2 overflows, sums in f16, the count cast to f16 (pytorch#133085, nntrainer#3935, executorch#16727).
TEST(Trap, RmsNormInF16OverflowsNeitherItsSquaresNorItsCount) {
  expect_right(10);
}
// 11: NaN (pytorch#41527, DeepSpeed#581), 0/0 (coremltools#2821).
TEST(Trap, AZeroRowWithATinyEpsIsZero) {
  expect_right(11);
}
// 12: NaN (keras#22586).
TEST(Trap, GroupNormInF16WithF32ParametersIsRight) {
  expect_right(12);
}
// 13: eps of bf16 in place of that asked for (pytorch#189581, #142848).
TEST(Trap, RmsNormInBf16KeepsASmallEps) {
  expect_right(13);
}
// 14: eps added in the wrong place passes unless eps is large. 26: eps ignored (tensorflow#58863).
TEST(Trap, ALargeEpsStandsUnderTheRoot) {
  expect_right(14);
}
// 15: dgamma of a constant row (pytorch#73161, #188375, #108072).
TEST(Trap, OneValueOrAConstantRowIsBetaWithoutAGradientOfGamma) {
  expect_right(15);
}
// 16: a batch of 65,536 and more (apex#411).
TEST(Trap, ABatchOfMoreThan65536IsNormalized) {
  expect_right(16);
}
// 20: backward at higher rank (FlagGems#5392, Liger-Kernel#1375), C/G = 3 (FlagGems#4984).
TEST(Trap, BackwardAtHigherRankAndWithThreeChannelsAGroupIsRight) {
  expect_right(20);
}
// 23: channels-last in f16 wrong (pytorch#62594).
TEST(Trap, ShortTypesInChannelsLastAreRight) {
  expect_right(23);
}
// 24: misaligned (flashinfer#634, pytorch#11869).
TEST(Trap, AHiddenSizeOf3584OffAlignmentIsRight) {
  expect_right(24);
}
// 25: f32 gamma with f16 x read bit by bit (pytorch#190055).
TEST(Trap, F32ParametersBesideShortTypesAreReadAsF32) {
  expect_right(25);
}
// 27: dgamma and dbeta swapped (oneflow#6149).
TEST(Trap, DgammaAndDbetaAreEachTheirOwn) {
  expect_right(27);
}

}  // namespace
}  // namespace norma
