// hamming.h - bit differences between 1-bit code rows and one packed query.
// in : rows of ceil(d/8) bytes, plane[0] = the query packed in the same order (pad bits zero)
// out: v = float(d - 2 * differences) * weight[0]: the dot product of two sign vectors, scaled
// range: exact for d <= 65,535; pad bits of rows and query are zero, so they never differ
#pragma once
#include "../query.h"

namespace fewbits {

DotFn hamming_scalar, hamming_avx2, hamming_avx512, hamming_neon;

static inline float finish_hamming(const QueryView& q, size_t d, uint32_t differences) {
  return static_cast<float>(static_cast<int32_t>(d) - 2 * static_cast<int32_t>(differences)) *
         q.weight[0];
}

}  // namespace fewbits
