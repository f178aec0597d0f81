#include "select.h"

#include <immintrin.h>

namespace fewbits {

size_t select_avx2(const float* scores, size_t n, float threshold, uint16_t* out) {
  const __m256 limit = _mm256_set1_ps(threshold);
  size_t count = 0;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 above = _mm256_cmp_ps(_mm256_loadu_ps(scores + i), limit, _CMP_NLT_UQ);
    uint32_t hits = static_cast<uint32_t>(_mm256_movemask_ps(above));
    for (; hits != 0; hits &= hits - 1) {
      out[count++] = static_cast<uint16_t>(i + static_cast<size_t>(__builtin_ctz(hits)));
    }
  }
  uint16_t* rest = out + count;
  const size_t more = select_scalar(scores + i, n - i, threshold, rest);
  for (size_t j = 0; j < more; ++j) rest[j] = static_cast<uint16_t>(rest[j] + i);
  return count + more;
}

}  // namespace fewbits
