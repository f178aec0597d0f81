// encode.h - float32 rows to code rows: normalise, centre, round, correct, pack, in one pass.
//
// Per row (every operation rounded once, no fused multiply-add, sums in 8 double lanes, lane l takes
// elements l, 8+l, ..., then lanes 4, 2, 1 apart are added):
//   y = x, or float(double(x) / |x|) where normalise (a zero row stays zero)
//   r = y - mean
//   fixed : s_j = step[j]                            u = clamp(rint(r / s) + zero, low, high)
//   row   : s = max|r| / high_c, or float(rms_factor * sqrt(sum r^2 / d)) where rms_factor > 0
//   offset: s = (max(r,0) - min(r,0)) / (high - low), zero = rint(-min(r,0) / s) + low
//   row, offset: where s is 0, s = 1 and zero = 0
//   sign  : u = r > 0
//   c = u - zero (sign: 2u - 1), c' = s_j c for fixed steps, else c
//   alpha : correct: float(sum r r / sum r c'), at most alpha_limit, 0 where the denominator is not
//           positive; else s (sign: float(sum |r| / d))
//   beta  : correct: float(sum mean r - alpha sum mean c'); offset: -(s zero)
//   nu    : correct: float(sum r r + 2 alpha sum mean c'); else the decoded row's sum of squares
// rint is half to even. in: finite |x| <= 1e15 (the gate); out: rows fully written, pads defined.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../epilogue/epilogue.h"

namespace fewbits {

enum class Packing : int { i8 = 0, u4 = 1, trit = 2, b1 = 3, f16 = 4 };
enum class Step : int { fixed = 0, row = 1, offset = 2 };

inline constexpr float alpha_limit = 1048576.0f;  // a code that says almost nothing of its row
inline constexpr size_t encode_pad = 16;          // scratch rows are zero padded to this many floats

struct EncodePlan {
  Packing packing = Packing::i8;
  Step step_rule = Step::fixed;
  size_t d = 0;
  size_t stride = 0;
  bool normalise = false;
  bool sign = false;
  bool correct = false;
  Factors factors;
  float low = 0;      // bounds of the stored value u
  float high = 0;
  float high_c = 0;   // largest code magnitude, divides max|r| under Step::row
  double rms_factor = 0;
  const float* mean = nullptr;  // each padded to encode_pad; mean and zero pads 0, step pads 1
  const float* step = nullptr;
  const float* zero = nullptr;
};

// scratch: 3 * padded(d) floats.
using EncodeFn = void(const float* x, size_t n, const EncodePlan& plan, float* scratch,
                      uint8_t* out);

EncodeFn encode_scalar, encode_avx2, encode_avx512, encode_neon;

static inline size_t padded(size_t d) { return (d + encode_pad - 1) / encode_pad * encode_pad; }

}  // namespace fewbits
