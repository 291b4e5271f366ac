#include "reference/traps.h"

#include <algorithm>

#include "reference/cases.h"

namespace norma::reference {
namespace {

Values rounded(const Values& values, DType dtype) {
  return Tensor(values, dtype, Shape{static_cast<std::int64_t>(values.size())}).values();
}

Values constant(std::int64_t count, double value) {
  return Values(static_cast<std::size_t>(count), value);
}

class TrapList {
 public:
  // x: normal about `mean`, unless values are given.
  Trap& add(int number, std::string what, Norm norm, std::int64_t part, Shape shape, double mean, double sigma) {
    return add(number, std::move(what), norm, part, shape,
               normal(shape.elements(), static_cast<std::uint64_t>(number), mean, sigma));
  }
  Trap& add(int number, std::string what, Norm norm, std::int64_t part, Shape shape, Values x) {
    Trap& trap = traps_.emplace_back();
    trap.number = number;
    trap.what = std::move(what);
    trap.norm = norm;
    trap.part = part;
    trap.shape = shape;
    trap.x = std::move(x);
    return trap;
  }

  static void with_parameters(Trap& trap) {
    const std::int64_t count = affine_shape(trap.descriptor(), trap.shape).elements();
    trap.gamma = normal(count, 50, 1, 0.5);
    trap.beta = normal(count, 51);
  }
  static void with_gradient(Trap& trap) {
    if (trap.gamma.empty()) with_parameters(trap);
    trap.dy = normal(trap.shape.elements(), 52);
  }

  std::vector<Trap> take() {
    for (Trap& trap : traps_) {
      trap.x = rounded(trap.x, trap.dtype);
      trap.dy = rounded(trap.dy, trap.dtype);
      if (trap.dtype == DType::kFloat64) trap.parameters = DType::kFloat64;
      trap.gamma = rounded(trap.gamma, trap.parameters);
      trap.beta = rounded(trap.beta, trap.parameters);
    }
    return std::move(traps_);
  }

 private:
  std::vector<Trap> traps_;
};

void add_cancellation(TrapList& list) {
  list.add(1, "LayerNorm of randn(5, 4) + 2000", Norm::kLayer, 1, {5, 4}, 2000, 1);
  list.add(2, "LayerNorm of 100 ± 0.01, 32768 values", Norm::kLayer, 1, {2, 32768}, 100, 0.01);
  list.add(2, "GroupNorm of 100 ± 0.01, 32768 values", Norm::kGroup, 1, {2, 8, 64, 64}, 100, 0.01);
  list.add(3, "LayerNorm of 40000..40003 and 80000..80003", Norm::kLayer, 1, {2, 4},
           {40000, 40001, 40002, 40003, 80000, 80001, 80002, 80003});
  TrapList::with_parameters(
      list.add(4, "LayerNorm of a constant 1234, 256 values", Norm::kLayer, 1, {1, 256}, constant(256, 1234)));
  list.add(5, "LayerNorm at a mean of 1000", Norm::kLayer, 1, {8, 768}, 1000, 1);
  list.add(7, "BatchNorm of nearly constant data, 3e7 ± 1", Norm::kBatch, 0, {64, 8}, 3e7, 1);
  list.add(8, "LayerNorm of 16 values near 1449", Norm::kLayer, 1, {1, 16}, 1449, 1e-3);
}

void add_range(TrapList& list) {
  for (const double size : {2e19, 1e30}) {
    const std::string values = size == 2e19 ? " of values past 1.84e19" : " of values near 1e30";
    list.add(9, "LayerNorm" + values, Norm::kLayer, 1, {3, 100}, 0, size);
    list.add(9, "RMSNorm" + values, Norm::kRms, 1, {3, 100}, 0, size);
    list.add(9, "BatchNorm" + values, Norm::kBatch, 0, {100, 3}, 0, size);
  }
  list.add(11, "LayerNorm of a zero row, eps 1e-12", Norm::kLayer, 1, {2, 10}, constant(20, 0)).eps = 1e-12;
  list.add(11, "RMSNorm of a zero row, eps 1e-12", Norm::kRms, 1, {2, 10}, constant(20, 0)).eps = 1e-12;
}

Trap& of_type(Trap& trap, DType dtype, DType parameters) {
  trap.dtype = dtype;
  trap.parameters = parameters;
  return trap;
}

void add_short_types(TrapList& list) {
  constexpr DType kHalf = DType::kFloat16, kBrain = DType::kBFloat16, kSingle = DType::kFloat32;
  Trap& narrow = of_type(list.add(6, "BatchNorm in bf16, mean 5, sigma 0.1", Norm::kBatch, 0, {64, 32, 4, 4}, 5, 0.1),
                         kBrain, kSingle);
  TrapList::with_gradient(narrow);
  of_type(list.add(10, "RMSNorm in f16 of values up to 60000", Norm::kRms, 1, {4, 512}, 0, 20000), kHalf, kHalf);
  of_type(list.add(10, "RMSNorm in f16 of 70,000 values", Norm::kRms, 1, {2, 70000}, 0, 1), kHalf, kHalf);
  Trap& layer = list.add(11, "LayerNorm in f16 of a zero row, eps 1e-12", Norm::kLayer, 1, {2, 10}, constant(20, 0));
  of_type(layer, kHalf, kHalf).eps = 1e-12;
  TrapList::with_gradient(of_type(
      list.add(12, "GroupNorm in f16 with f32 parameters", Norm::kGroup, 2, {2, 8, 16, 16}, 30, 1), kHalf, kSingle));
  of_type(list.add(13, "RMSNorm in bf16 of values near 0.003, eps 1e-5", Norm::kRms, 1, {4, 512}, 0, 0.003), kBrain,
          kSingle);
  for (const DType dtype : {kHalf, kBrain}) {
    const std::string type = dtype == kHalf ? "f16" : "bf16";
    Trap& last = list.add(23, "BatchNorm in " + type + ", channels last", Norm::kBatch, 0, {4, 6, 5, 7}, 1, 2);
    of_type(last, dtype, kSingle).layout = Layout::kChannelsLast;
    TrapList::with_gradient(last);
    TrapList::with_gradient(
        of_type(list.add(25, "LayerNorm in " + type + " with f32 parameters", Norm::kLayer, 1, {6, 130}, 1, 2), dtype,
                kSingle));
    TrapList::with_gradient(
        of_type(list.add(25, "LayerNorm in " + type + " with parameters of its own", Norm::kLayer, 1, {6, 130}, 1, 2),
                dtype, dtype));
  }
}

void add_eps_and_constants(TrapList& list) {
  for (const double eps : {0.1, 10.0}) {
    const std::string with = eps == 0.1 ? ", eps 0.1" : ", eps 10";
    Trap& layer = list.add(14, "LayerNorm" + with, Norm::kLayer, 1, {6, 20}, 0, 1);
    layer.eps = eps;
    TrapList::with_gradient(layer);
    Trap& batch = list.add(14, "BatchNorm" + with, Norm::kBatch, 0, {20, 6}, 0, 1);
    batch.eps = eps;
    TrapList::with_gradient(batch);
  }
  TrapList::with_gradient(list.add(15, "LayerNorm of rows of one value", Norm::kLayer, 1, {5, 1}, 3, 1));
  TrapList::with_gradient(
      list.add(15, "LayerNorm of a constant row", Norm::kLayer, 1, {3, 17}, constant(3L * 17, 0.1)));
}

void add_shapes(TrapList& list) {
  list.add(16, "LayerNorm of 70,000 rows", Norm::kLayer, 1, {70000, 3}, 5, 1);
  list.add(16, "BatchNorm of 70,000 samples", Norm::kBatch, 0, {70000, 3}, 5, 1);
  list.add(16, "GroupNorm of 70,000 samples", Norm::kGroup, 2, {70000, 2, 2}, 5, 1);
  TrapList::with_gradient(list.add(20, "LayerNorm over 4 axes of rank 5", Norm::kLayer, 4, {2, 3, 2, 3, 2}, 1, 1));
  TrapList::with_gradient(list.add(20, "GroupNorm with 3 channels a group", Norm::kGroup, 2, {2, 6, 5, 7}, 1, 1));
  for (const int misalign : {1, 3}) {
    Trap& trap = list.add(24, "LayerNorm of 3584 features, " + std::to_string(misalign) + " elements off alignment",
                          Norm::kLayer, 1, {3, 3584}, 1, 1);
    trap.misalign = misalign;
    TrapList::with_gradient(trap);
  }
  TrapList::with_gradient(list.add(27, "BatchNorm: dgamma and dbeta", Norm::kBatch, 0, {16, 5, 3, 3}, 1, 2));
}

}  // namespace

Descriptor Trap::descriptor() const {
  switch (norm) {
    case Norm::kLayer:
      return layer_norm(static_cast<int>(part), eps);
    case Norm::kRms:
      return rms_norm(static_cast<int>(part), eps);
    case Norm::kGroup:
      return group_norm(part, eps);
    case Norm::kInstance:
      return instance_norm(eps);
    case Norm::kBatch:
      break;
  }
  return batch_norm(eps);
}

std::vector<Trap> traps() {
  TrapList list;
  add_cancellation(list);
  add_range(list);
  add_short_types(list);
  add_eps_and_constants(list);
  add_shapes(list);
  std::vector<Trap> all = list.take();
  std::ranges::stable_sort(all, {}, &Trap::number);
  return all;
}

}  // namespace norma::reference
