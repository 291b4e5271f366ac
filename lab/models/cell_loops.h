// The loops over a cell's elements, row by row. A call of exp or tanh an element would take most of a trial's time, so
// these are compiled for every vector width, with an e^x of their own, and chosen as the program starts. It knows no
// torch: cells.h does.
#pragma once

#include <cstdint>

namespace norma::lab {

// LSTM, all contiguous. gates (rows, 4 width): input, forget, cell, output. open (rows, 3 width): input, forget and
// cell behind their nonlinearities. next = forget * old + input * cell.
void open_gates(const float* gates, const float* old, float* open, float* next, std::int64_t rows, std::int64_t width);

// gates as above; c, open, squashed, h (rows, width): open = sigmoid(output), squashed = tanh(c), h = open * squashed.
void show_cell(const float* gates, const float* c, float* open, float* squashed, float* h, std::int64_t rows,
               std::int64_t width);

// GRU. x, h (rows, 3 width): reset, update, new. open (rows, 4 width): the same behind their nonlinearities, and h's
// part of new. next = (1 - update) * new + update * old.
void mix_state(const float* x, const float* h, const float* old, float* open, float* next, std::int64_t rows,
               std::int64_t width);

}  // namespace norma::lab
