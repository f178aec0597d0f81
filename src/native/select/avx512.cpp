#include "select.h"

#include <immintrin.h>

namespace fewbits {

size_t select_avx512(const float* scores, size_t n, float threshold, uint16_t* out) {
  const __m512 limit = _mm512_set1_ps(threshold);
  size_t count = 0;
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 lanes = static_cast<__mmask16>(n - i < 16 ? (1u << (n - i)) - 1 : 0xffffu);
    const __m512 values = _mm512_maskz_loadu_ps(lanes, scores + i);
    // Few chunks hold a candidate once the k best are good: the branch is nearly always skipped.
    uint32_t hits = _mm512_mask_cmp_ps_mask(lanes, values, limit, _CMP_NLT_UQ);
    for (; hits != 0; hits &= hits - 1) {
      out[count++] = static_cast<uint16_t>(i + static_cast<size_t>(__builtin_ctz(hits)));
    }
  }
  return count;
}

}  // namespace fewbits
