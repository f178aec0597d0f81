// gemm_u8.h - 8-bit activations times int8 weights, scaled to float32.
//
// out[i, j] = float(sum_i,j) * (rows[i].scale * w.scale[j]) + w.bias[j]
// sum_i,j   = sum over inputs of (a[i, .] - rows[i].zero) * code[j, .], exact
// acc: int32, zeros lie in 0..255 and |code| <= 127: exact for k <= 65,536, where the largest sum,
//      255 * 127 * 65,536, is below 2^31; sums may wrap on the way. No int16 ever saturates: inputs
//      and codes are widened (avx2), are 128 at most (neon), or meet in vpdpbusd or sdot.
// The float operations happen in the order written. Scalar rounds the last product, all others fuse
// it with the last sum; the results are equal where that product is exact.
// A row's result depends on that row alone, to the bit, whatever m and the panel range are.
#pragma once
#include "../weights.h"

namespace fewbits::encoder {

// a: m rows of 4 * quads(k) readable bytes, a_stride apart (bytes past k meet zero weights);
// out: m rows, out_stride floats apart; channels 16 * first_panel up to min(16 * last_panel, n) of
// every row are written, nothing else. Ranges of a multiple of 4 panels are the fast ones.
using GemmU8Fn = void(const uint8_t* a, size_t m, size_t a_stride, const Row* rows,
                      const WeightsI8& w, size_t first_panel, size_t last_panel, float* out,
                      size_t out_stride);

GemmU8Fn gemm_u8_scalar, gemm_u8_avx2, gemm_u8_avx512, gemm_u8_neon;
GemmU8Fn gemm_u8_dotprod;  // 64-bit ARM with vdotq_s32

}  // namespace fewbits::encoder
