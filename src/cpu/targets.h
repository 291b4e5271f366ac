// Which instruction sets the kernels are compiled for. Every kernel file includes this before Highway.
//
// AVX-512, AVX2 and SSE4.2; on x86-64 without even that, Highway's scalar baseline, which it always builds. SSSE3 has
// no machines of its own, and the later AVX-512 sets add nothing that these kernels use. On 64-bit Arm NEON, which
// every such machine has.
#pragma once

#include <hwy/detect_targets.h>

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
