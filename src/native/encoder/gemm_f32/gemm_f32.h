// gemm_f32.h - float32 activations times weights stored as float32, float16, bfloat16 or int8.
//
// out[i, j] = (sum over inputs of a[i, .] * w[j, .]) * scale[j] (i8 only) + bias[j]
// acc: float32, inputs in ascending order, one chain per output (fused or not, by level), so that a
//      row's result depends on that row alone, to the bit, whatever m and the panel range are.
#pragma once
#include "../weights.h"

namespace fewbits::encoder {

// a: m rows of k floats, a_stride floats apart; out: m rows, out_stride floats apart; channels
// 16 * first_panel up to min(16 * last_panel, n) of every row are written, nothing else.
using GemmF32Fn = void(const float* a, size_t m, size_t a_stride, const WeightsFloat& w,
                       size_t first_panel, size_t last_panel, float* out, size_t out_stride);

GemmF32Fn gemm_f32_scalar, gemm_f32_avx2, gemm_f32_avx512, gemm_f32_neon;

}  // namespace fewbits::encoder
