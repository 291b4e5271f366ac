// Test inputs that differ from those of training (claim 9). A shift is a name in a study file:
//
//     contrast=0.5     every value x of a sample becomes m + 0.5 (x - m), m the sample's own mean (a factor from 0 on)
//     offset=0.5       0.5 is added, in units of the training part's sd (any number)
//     noise=0.5        independent normal noise of that sd is added, in the same units; alike for every arm and seed
//     padding=2x       twice the positions, the new ones padding (2x to 8x; sequences and tokens)
//     batch=1          nothing is changed, but the network sees so many samples at a time (1 to 4096)
//     longer=2x        new samples, longer than any in training and at most twice max_length (2x to 8x; ListOps)
//
// Values are not cut to the range that pixels have: what is asked for is the shift, not another nonlinearity. Padding
// stays zero under all of them.
#pragma once

#include <string>

#include "lab/data/dataset.h"

namespace norma::lab {

struct Shift {
  enum class Kind : std::uint8_t { kContrast, kOffset, kNoise, kPadding, kBatch, kLonger };
  Kind kind = Kind::kContrast;
  double amount = 1;
};

// Throws InputError naming what was expected.
Shift parse_shift(const std::string& name);

// Why data of this kind cannot be shifted so; empty if it can. For checks before a run.
std::string shift_refusal(const Shift& shift, SampleKind kind, const std::string& source);

enum class Part : std::uint8_t { kTrain, kValidation, kTest };

// The part, shifted, as a Dataset of its own in which it is the test part, in the same order; the other two are empty.
// data: what load(spec) gave. Throws InputError where the shift is refused. "longer" draws as many new samples.
Dataset shifted(const Dataset& data, const DataSpec& spec, const Shift& shift, Part part = Part::kTest);

}  // namespace norma::lab
