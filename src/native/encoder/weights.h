// weights.h - a linear layer's and a table's numbers as the encoder kernels read them.
//
// Linear weights (n output channels, k input channels) lie in panels of 16 output channels, missing
// channels and inputs being zeros. One layout serves every level: 16 lanes of AVX-512, two times
// 8 of AVX2, four times 4 of NEON.
//   floats: value (j, i) at  ((j / 16) * k + i) * 16 + j % 16
//   int8:   value (j, i) at  ((j / 16) * quads(k) + i / 4) * 64 + (j % 16) * 4 + i % 4
#pragma once
#include <cstddef>
#include <cstdint>

namespace fewbits::encoder {

inline constexpr size_t panel = 16;  // output channels of a panel

static inline size_t panels(size_t n) { return (n + panel - 1) / panel; }
// Groups of 4 inputs, one 32-bit lane each.
static inline size_t quads(size_t k) { return (k + 3) / 4; }

enum class Element { f32, f16, bf16, i8 };

// How one row of activation codes is read: x = scale * (code - zero).
struct Row {
  float scale;
  int32_t zero;
};

// int8 weights for 8-bit activations: w = scale[j] * code, |code| <= 127.
struct WeightsI8 {
  const int8_t* codes;   // panels, 64-byte aligned
  const float* scale;    // panels(n) * 16 values
  const int32_t* sums;   // panels(n) * 16 values: the sum of a channel's codes
  const float* bias;     // panels(n) * 16 values, zeros where the layer has none
  size_t n, k;
};

// Weights for float32 activations, stored in 32, 16 or 8 bits.
struct WeightsFloat {
  const void* values;    // panels of `element`, 64-byte aligned; i8 in its own layout
  Element element;
  const float* scale;    // panels(n) * 16 values for i8, else null
  const float* bias;     // panels(n) * 16 values, zeros where the layer has none
  size_t n, k;
};

// An embedding table: row r is `scale[r] * values[r]` (i8) or `values[r]`.
struct Table {
  const void* values;    // (rows, width), C order, any alignment
  Element element;
  const float* scale;    // rows values for i8, else null
  size_t rows, width;
};

}  // namespace fewbits::encoder
