// NumPy's array files, .npy (numpy.lib.format, versions 1 to 3), and archives of them, .npz:
//
//     "\x93NUMPY" | major, minor | length of the header, 2 or 4 bytes | header | elements, last axis fastest
//
// The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }. Read are f4,
// f8, u1, i4 and i8, little-endian, in C order. A stranger's file is not trusted: shape and type must come to exactly
// the bytes that follow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/data/bytes.h"
#include "lab/data/contents.h"

namespace norma::lab {

struct NpyHeader {
  std::string type;  // "<f4"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;  // empty: a single number
};

// The dictionary of a header. Throws InputError, beginning with `what`.
NpyHeader parse_npy_header(const std::string& text, const std::string& what);

struct NpyArray {
  std::string type;  // "f4", "f8", "u1", "i4", "i8"
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;  // the elements, little-endian

  std::int64_t count() const;
};

// Throws InputError naming `what`: the file, and the array in an archive.
NpyArray parse_npy(std::vector<std::uint8_t> file, const std::string& what);

// Samples of rank 2 (n,features), 3 (n,H,W) or 4 (n,C,H,W), finite, with labels of rank 1, whole numbers from 0 on.
Samples npy_samples(const NpyArray& x, const std::string& x_name, const NpyArray& y, const std::string& y_name);

// The arrays of an archive by the names of a study: "x" and "y", or "x_train", "y_train", "x_test" and "y_test".
Contents read_npz(const std::string& path);

// An archive (files "path"), or arrays in files of their own ("x", "y", "test_x", "test_y").
Contents read_npy_contents(const DataSpec& spec);

}  // namespace norma::lab
