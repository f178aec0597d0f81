// dot_f16.h - IEEE half rows times a float32 query.
// in : rows of 2d bytes, little-endian halves; query.dense: d floats, zero padded to 16
// sum: 16 float32 lanes, lane j takes dimensions j, 16+j, ... in order, product rounded, then added
//      (no fused multiply-add); then lanes 8 apart are added, 4, 2, 1 apart: a fixed tree
// NaN: halves are finite (the encoder refuses what does not fit); denormal halves are exact
// tail: dimensions past d count as 0 * 0, which leaves every lane's bits unchanged
#pragma once
#include "../query.h"

namespace fewbits {

DotFn dot_f16_scalar, dot_f16_avx2, dot_f16_avx512, dot_f16_neon;

float half_to_float(uint16_t half);       // exact
uint16_t float_to_half(float value);      // half to even; |value| < 65,520

}  // namespace fewbits
