// rows.h - what happens to token rows between the matrix products.
//
// quantize_rows, per row of finite floats (all operations in float32, ties to even), x having been
// multiplied by factor[i] where there are factors:
//   asymmetric: low = min(0, min x), high = max(0, max x), span = high - low,
//               scale = span / 255, inverse = 255 / span, zero = round(-low * inverse)
//   symmetric:  span = max |x|, scale = span / 127, inverse = 127 / span, zero = 128
//   code = clip(round(x * inverse) + zero, 0, 255);  span < 2^-100: scale 1, inverse 0
// quantize_fixed: code = clip(round(x * inverse[i]) + zero, 0, 255), one inverse per input.
// Codes, scales and zeros equal numpy's and the scalar kernel's bit for bit on every level.
// norm: x = (x - mean) / sqrt(var + eps) * weight + bias; float32, sums in a fixed order per width.
// gelu: absolute error <= 1e-6 max(1, |x|) against the exact one; the others likewise.
#pragma once
#include "../weights.h"

namespace fewbits::encoder {

enum class Activation { gelu, gelu_tanh, relu, silu, tanh };

// Of codes written by quantize_fixed: how many in all, at 0, at 255, and the range they took.
struct Ends {
  uint64_t count = 0, low = 0, high = 0;
  int32_t least = 255, most = 0;
};

struct Norm {
  const float* weight;
  const float* bias;
  float eps;
};

// Rows are `stride` floats (code_stride bytes) apart. Padding bytes of a code row, up to a multiple
// of 4, are set to 0.
struct RowSteps {
  // x[r] = (add ? x[r] : 0) + table[at[r]]; every at[r] < table.rows.
  void (*lookup)(const Table& table, const int32_t* at, size_t rows, bool add, float* x,
                 size_t stride);
  // x = norm(x + residual); residual may be null, and may not overlap x.
  void (*add_norm)(float* x, const float* residual, size_t rows, size_t width, size_t stride,
                   const Norm& norm);
  void (*activate)(Activation kind, float* x, size_t rows, size_t width, size_t stride);
  // factor: one per input, or null.
  void (*quantize_rows)(const float* x, size_t rows, size_t width, size_t stride,
                        const float* factor, bool symmetric, uint8_t* codes, size_t code_stride,
                        Row* out);
  // What activate and quantize_rows do, in one walk over every row; x is overwritten.
  void (*activate_quantize)(Activation kind, float* x, size_t rows, size_t width, size_t stride,
                            const float* factor, bool symmetric, uint8_t* codes,
                            size_t code_stride, Row* out);
  void (*quantize_fixed)(const float* x, size_t rows, size_t width, size_t stride,
                         const float* inverse, int32_t zero, uint8_t* codes, size_t code_stride,
                         Ends& ends);
};

extern const RowSteps rows_scalar, rows_avx2, rows_avx512, rows_neon;

}  // namespace fewbits::encoder
