// The 16-bit floating-point types, as storage: they convert from and to float and double, and nothing else. All
// arithmetic on them is done in float and double.
#pragma once

#include <bit>
#include <cstdint>

namespace norma {

namespace detail {

// v as a float whose last bit tells whether anything was lost ("round to odd"): rounding that to at most 22 bits gives
// what rounding v itself would.
constexpr float round_to_odd(double v) {
  const auto nearest = static_cast<float>(v);
  const auto back = static_cast<double>(nearest);
  if (!(back != v) || v != v) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  const bool away = v < 0 ? back < v : back > v;
  if (away) --bits;
  return std::bit_cast<float>(bits | 1U);
}

constexpr std::uint16_t bfloat16_bits(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v);
  if (v != v) return static_cast<std::uint16_t>(bits >> 16U | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16U & 1U)) >> 16U);
}

constexpr std::uint16_t float16_bits(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v);
  const std::uint32_t sign = bits >> 16U & 0x8000U;
  const std::uint32_t size = bits & 0x7fffffffU;
  constexpr std::uint32_t kInfinity = 0x7c00U;
  if (size > 0x7f800000U) return static_cast<std::uint16_t>(sign | kInfinity | 0x200U | (size >> 13U & 0x3ffU));
  if (size >= 0x47800000U) return static_cast<std::uint16_t>(sign | kInfinity);  // 65536 and more
  if (size < 0x38800000U) {
    // Below 2^-14: the sum's last bit is worth 2^-24, and the adder rounds.
    const float sum = std::bit_cast<float>(size) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - 0x3f000000U));
  }
  const std::uint32_t odd = size >> 13U & 1U;
  return static_cast<std::uint16_t>(sign | ((size - 0x38000000U + 0xfffU + odd) >> 13U));
}

constexpr float from_float16_bits(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t size = (half & 0x7fffU) << 13U;
  std::uint32_t bits = size + 0x38000000U;
  if (size >= 0x0f800000U) {
    bits = size + 0x70000000U;  // infinity, NaN
  } else if (size < 0x00800000U) {
    bits = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size + 0x38800000U) - 0x1p-14F);
  }
  return std::bit_cast<float>(bits | sign);
}

}  // namespace detail

// 8 bits of exponent, 7 of fraction: the upper half of a float. Rounds to nearest, ties to even; NaN stays NaN.
struct bfloat16 {
  std::uint16_t bits = 0;

  constexpr bfloat16() = default;
  constexpr explicit bfloat16(float v) : bits(detail::bfloat16_bits(v)) {}
  constexpr explicit bfloat16(double v) : bits(detail::bfloat16_bits(detail::round_to_odd(v))) {}
  constexpr explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16U); }
  constexpr explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

// IEEE 754 binary16: 5 bits of exponent, 10 of fraction, up to 65504. Rounds likewise; beyond 65504 is infinity.
struct float16 {
  std::uint16_t bits = 0;

  constexpr float16() = default;
  constexpr explicit float16(float v) : bits(detail::float16_bits(v)) {}
  constexpr explicit float16(double v) : bits(detail::float16_bits(detail::round_to_odd(v))) {}
  constexpr explicit operator float() const { return detail::from_float16_bits(bits); }
  constexpr explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

static_assert(sizeof(bfloat16) == 2 && sizeof(float16) == 2);

}  // namespace norma
