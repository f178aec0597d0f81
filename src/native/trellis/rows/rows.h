// rows.h - what encoding does to one row at a time, around project and path.
// Every operation is rounded once, sums of doubles are taken in eight lanes (encode/encode.h).
#pragma once
#include <cstddef>
#include <cstdint>

#include "../plan.h"

namespace fewbits::trellis {

// One row on its way to its code.
struct Row {
  float* y = nullptr;          // row_stride floats: y = x or x / |x|; after centre: r = y - C
  int16_t* y16 = nullptr;      // row16_size(d): y, after centre r, scaled to length 32766; 0 if 0
  int32_t* z = nullptr;        // columns_size(m): <basis, r16>
  int32_t* target = nullptr;   // columns_size(m): what path wants, or the numbers of uniform codes
  uint8_t* code = nullptr;     // code_size bytes, 8 zeros before them, 8 bytes of room behind them
  size_t list = 0;
  double length = 0;           // |y|; after centre |r|
  double squares = 0;          // <r, r>
  double along = 0;            // <C, r>
};

struct RowSteps {
  // Fills y; with more than one list also y16 and length.
  void (*start)(const float* x, const Plan& plan, Row& row);
  // The list of the greatest inner product less half of the centroid's square, the first of equals.
  size_t (*nearest)(const int32_t* products, double length, const Plan& plan);
  // Subtracts the centroid of row.list.
  void (*centre)(const Plan& plan, Row& row);
  // z to target, and the code bytes of the uniform columns.
  void (*quantize)(const Plan& plan, Row& row);
  // Writes id and scalars behind the codes; returns the share of weighted energy they do not hold.
  // `extra` is added to b; -0.0 adds nothing, not even a sign.
  float (*finish)(const Plan& plan, const Row& row, double extra);
};

extern const RowSteps rows_scalar, rows_avx2, rows_avx512, rows_neon;

}  // namespace fewbits::trellis
