// bfloat16 and float16 between memory and registers of f32. Included once per instruction set.
//
// Both ways are exact or rounded to nearest, ties to even, the same bits everywhere; NaN stays NaN. AVX2 and later, and
// 64-bit ARM, have instructions for float16. Highway's own code in their absence mishandles infinity and rounds by
// truncation, as its bfloat16 does everywhere; AVX-512's instruction for bfloat16 takes denormals for zero.
#if defined(NORMA_CPU_SHORT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_SHORT_INL_H
#undef NORMA_CPU_SHORT_INL_H
#else
#define NORMA_CPU_SHORT_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <type_traits>

#include "norma/short_floats.h"

#undef NORMA_HAS_F16_INSTRUCTIONS
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || (HWY_TARGET == HWY_NEON && HWY_ARCH_ARM_A64)
#define NORMA_HAS_F16_INSTRUCTIONS 1
#else
#define NORMA_HAS_F16_INSTRUCTIONS 0
#endif

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// As many 16-bit elements as a register of D has floats.
template <class D>
using Bits16 = hn::Rebind<std::uint16_t, D>;

HWY_INLINE const std::uint16_t* bits_of(const bfloat16* p) {
  return &p->bits;
}
HWY_INLINE const std::uint16_t* bits_of(const float16* p) {
  return &p->bits;
}
HWY_INLINE std::uint16_t* bits_of(bfloat16* p) {
  return &p->bits;
}
HWY_INLINE std::uint16_t* bits_of(float16* p) {
  return &p->bits;
}

#if !NORMA_HAS_F16_INSTRUCTIONS
// Called and not inlined: in every loop of every kernel they would double what there is to compile, for machines that
// are rare by now.
template <class D>
HWY_NOINLINE hn::Vec<D> widen_float16(D d, hn::Vec<hn::RebindToUnsigned<D>> half) {
  const hn::RebindToUnsigned<D> du;
  const auto sign = hn::ShiftLeft<16>(hn::And(half, hn::Set(du, 0x8000U)));
  const auto size = hn::ShiftLeft<13>(hn::And(half, hn::Set(du, 0x7fffU)));
  const auto special = hn::Gt(hn::BitCast(hn::RebindToSigned<D>(), size), hn::Set(hn::RebindToSigned<D>(), 0x0f7fffff));
  const auto subnormal =
      hn::Lt(hn::BitCast(hn::RebindToSigned<D>(), size), hn::Set(hn::RebindToSigned<D>(), 0x00800000));
  const auto normal = hn::Add(size, hn::Set(du, 0x38000000U));
  const auto small =
      hn::BitCast(du, hn::Sub(hn::BitCast(d, hn::Add(size, hn::Set(du, 0x38800000U))), hn::Set(d, 0x1p-14F)));
  auto bits = hn::IfThenElse(hn::RebindMask(du, special), hn::Add(size, hn::Set(du, 0x70000000U)), normal);
  bits = hn::IfThenElse(hn::RebindMask(du, subnormal), small, bits);
  return hn::BitCast(d, hn::Or(bits, sign));
}

template <class D>
HWY_NOINLINE hn::Vec<hn::RebindToUnsigned<D>> narrow_float16(D d, hn::Vec<D> v) {
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const auto bits = hn::BitCast(du, v);
  const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 0x8000U));
  const auto size = hn::And(bits, hn::Set(du, 0x7fffffffU));
  const auto signed_size = hn::BitCast(di, size);
  const auto odd = hn::And(hn::ShiftRight<13>(size), hn::Set(du, 1U));
  auto half = hn::ShiftRight<13>(hn::Add(hn::Sub(size, hn::Set(du, 0x38000000U - 0xfffU)), odd));
  // Below 2^-14: the sum's last bit is worth 2^-24, and the adder rounds.
  const auto sum = hn::BitCast(du, hn::Add(hn::BitCast(d, size), hn::Set(d, 0.5F)));
  half = hn::IfThenElse(hn::RebindMask(du, hn::Lt(signed_size, hn::Set(di, 0x38800000))),
                        hn::Sub(sum, hn::Set(du, 0x3f000000U)), half);
  half = hn::IfThenElse(hn::RebindMask(du, hn::Gt(signed_size, hn::Set(di, 0x477fffff))), hn::Set(du, 0x7c00U), half);
  const auto nan = hn::Or(hn::And(hn::ShiftRight<13>(size), hn::Set(du, 0x3ffU)), hn::Set(du, 0x7e00U));
  half = hn::IfThenElse(hn::RebindMask(du, hn::Gt(signed_size, hn::Set(di, 0x7f800000))), nan, half);
  return hn::Or(half, sign);
}
#endif

// T's bits -> f32.
template <class T, class D>
HWY_INLINE hn::Vec<D> widen_short(D d, hn::Vec<Bits16<D>> bits) {
  const hn::RebindToUnsigned<D> du;
  if constexpr (std::is_same_v<T, bfloat16>) {
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, bits)));
  } else {
#if NORMA_HAS_F16_INSTRUCTIONS
    return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
#else
    return widen_float16(d, hn::PromoteTo(du, bits));
#endif
  }
}

// f32 -> T's bits.
template <class T, class D>
HWY_INLINE hn::Vec<Bits16<D>> narrow_short([[maybe_unused]] D d, hn::Vec<D> v) {
  const hn::RebindToUnsigned<D> du;
  if constexpr (std::is_same_v<T, bfloat16>) {
    const auto bits = hn::BitCast(du, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1U));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fffU)));
    // A NaN comes from arithmetic, which makes it quiet, or was a bfloat16: either way it is one by the bits that stay.
    const auto is_nan = hn::RebindMask(du, hn::Ne(v, v));
    return hn::TruncateTo(Bits16<D>(), hn::ShiftRight<16>(hn::IfThenElse(is_nan, bits, rounded)));
  } else {
#if NORMA_HAS_F16_INSTRUCTIONS
    return hn::BitCast(Bits16<D>(), hn::DemoteTo(hn::Rebind<hwy::float16_t, D>(), v));
#else
    return hn::TruncateTo(Bits16<D>(), narrow_float16(d, v));
#endif
  }
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_SHORT_INL_H
