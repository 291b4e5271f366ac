// CIFAR-10 in its binary version (Krizhevsky 2009): a folder with data_batch_1.bin to data_batch_5.bin and
// test_batch.bin, records of a label and 3x32x32 bytes, red, green, blue.
#pragma once

#include <string>

#include "lab/data/contents.h"

namespace norma::lab {

// One file. Throws InputError: no whole number of records, or a label above 9.
Samples read_cifar10_batch(const std::string& path);

// The folder "path". Training batches are read from the first on, as many as there are.
Contents read_cifar10_contents(const DataSpec& spec);

}  // namespace norma::lab
