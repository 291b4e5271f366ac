#include "score.h"

#include <fmt/format.h>

#include <cmath>

#include "reference/cases.h"

namespace norma::accuracy {
namespace {

std::string units(double value, double decides, DType dtype) {
  if (!std::isfinite(decides)) return "✗ no number";
  const std::string mark = decides > (is_short(dtype) ? 4 : kWrong) ? "✗ " : "";
  if (!std::isfinite(value)) value = decides;  // something where exactly 0 was right
  if (value == 0) return "0";
  if (value < 10) return mark + fmt::format("{:.2f}", value);
  return mark + (value < 10000 ? fmt::format("{:.0f}", value) : fmt::format("{:.0e}", value));
}

std::string relative(double value) {
  if (!std::isfinite(value)) return "✗ no number";
  return value == 0 ? "0" : fmt::format("{}{:.0e}", value > 1e-3 ? "✗ " : "", value);
}

}  // namespace

Score score(System& system, const Trap& trap) {
  Score found;
  try {
    const std::optional<Answer> answer = system.run(trap);
    if (!answer) return found;
    found.kind = Score::Kind::kMeasured;
    const Descriptor descriptor = trap.descriptor();
    found.forward =
        reference::forward_units(descriptor, trap.shape, trap.x, trap.gamma, trap.beta, answer->y, trap.dtype);
    found.dtype = trap.dtype;
    found.parameters = trap.parameters;
    if (is_short(trap.dtype)) {
      found.rounding =
          reference::forward_rounding(descriptor, trap.shape, trap.x, trap.gamma, trap.beta, answer->y, trap.dtype);
    }
    found.has_gradients = !trap.dy.empty();
    if (found.has_gradients) {
      found.gradients = reference::gradient_errors(descriptor, trap.shape, trap.dy, trap.x, trap.gamma,
                                                   answer->gradients, trap.dtype);
    }
  } catch (const std::exception&) {
    found.kind = Score::Kind::kThrew;
  }
  return found;
}

std::string forward_cell(const Score& score) {
  if (score.kind == Score::Kind::kNone) return "–";
  if (score.kind == Score::Kind::kThrew) return "✗ throws";
  return units(score.forward.strict, score.forward.among_neighbours, score.dtype);
}

std::string rounding_cell(const Score& score) {
  if (score.kind != Score::Kind::kMeasured) return forward_cell(score);
  const reference::Rounding& r = score.rounding;
  return fmt::format("{}{:.2f}%", r.far > 0 ? "✗ " : "",
                     100 * static_cast<double>(r.wrong) / static_cast<double>(r.elements));
}

std::string gradient_cell(const Score& score) {
  if (score.kind != Score::Kind::kMeasured) return forward_cell(score);
  return units(score.gradients.dx_units, score.gradients.dx_units, score.dtype) + "; " +
         relative(score.gradients.dgamma) + "; " + relative(score.gradients.dbeta);
}

Trap problem(reference::Norm norm, std::int64_t part, const Shape& shape, Layout layout, DType dtype, double mean) {
  Trap trap;
  trap.norm = norm;
  trap.part = part;
  trap.shape = shape;
  trap.layout = layout;
  trap.dtype = trap.parameters = dtype;
  const std::int64_t parameters = affine_shape(trap.descriptor(), shape).elements();
  const auto rounded = [&](const Values& values) {
    return reference::Tensor(values, dtype, Shape{static_cast<std::int64_t>(values.size())}).values();
  };
  trap.x = rounded(reference::normal(shape.elements(), 1, mean, 1));
  trap.dy = rounded(reference::normal(shape.elements(), 2));
  trap.gamma = rounded(reference::normal(parameters, 3, 1, 0.5));
  trap.beta = rounded(reference::normal(parameters, 4));
  return trap;
}

}  // namespace norma::accuracy
