// What a file or folder seems to hold, by its first bytes and its name: for `norma data check`.
#pragma once

#include <optional>
#include <string>

#include "lab/trial/spec.h"

namespace norma::lab {

enum class FileKind : std::uint8_t { kIdx, kNpy, kNpz, kCsv, kCifar10, kText };

// Throws InputError: there is no such file, or it is of no kind that is understood.
FileKind guess_kind(const std::string& path);

// A study's [data] for the file or folder at `path`: an archive, a table, a text, a folder of CIFAR-10. Nothing where
// it takes more than this file: IDX, or an array alone.
std::optional<DataSpec> guess_data(const std::string& path);

}  // namespace norma::lab
