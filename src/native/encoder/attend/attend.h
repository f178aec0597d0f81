// attend.h - softmax attention over one sequence, some of its heads.
//
// context[t, h] = sum_u p[t, u] v[u, h],  p[t, .] = softmax over u of
//                 <q[t, h], k[u, h]> / sqrt(head_size) + bias[h][u - t + length - 1]
// qkv: `length` rows of 3 * hidden floats: query, key, value, heads side by side in each.
// float32; exp of a score below its maximum, relative error <= 1e-6; sums in a fixed order, so
// that the result depends on the sequence alone.
#pragma once
#include <cstddef>

namespace fewbits::encoder {

struct Sequence {
  const float* qkv;       // rows 3 * hidden floats apart
  size_t length;          // tokens, >= 1
  size_t hidden;          // heads * head_size
  size_t head_size;       // any size >= 1; multiples of 16 are the fast ones
  const float* bias;      // (heads, 2 * length - 1) by distance, or null
};

// Floats that `scratch` must hold, 64-byte aligned.
size_t attend_scratch(size_t length, size_t head_size);

// context: `length` rows of hidden floats; heads first to last - 1 of every row are written.
using AttendFn = void(const Sequence& s, size_t first, size_t last, float* context, float* scratch);

AttendFn attend_scalar, attend_avx2, attend_avx512, attend_neon;

}  // namespace fewbits::encoder
