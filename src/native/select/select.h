// select.h - which scores of a chunk may enter the k best.
// out: ascending indices i with !(scores[i] < threshold), n entries of room; returns how many.
// NaN counts as not smaller, so that the caller sees it.   n: at most 2^16   tail: masked or scalar
#pragma once
#include <cstddef>
#include <cstdint>

namespace fewbits {

using SelectFn = size_t(const float* scores, size_t n, float threshold, uint16_t* out);

SelectFn select_scalar, select_avx2, select_avx512, select_neon;

}  // namespace fewbits
