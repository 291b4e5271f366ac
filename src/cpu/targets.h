// Which instruction sets the kernels are compiled for. Every kernel file includes this before Highway.
//
// AVX-512 and AVX2 are what machines have; SSSE3 and SSE4 alone are not worth their compile time, so below AVX2 the
// compiler's baseline does the work.
#pragma once

#include <hwy/detect_targets.h>

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
