#include "dot_u4.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx2.h"

struct Nibbles : Register {
  template <int planes>
  static void add(__m256i both, const QueryView& q, size_t j, __m256i* sum) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble);
    const __m256i low = _mm256_and_si256(both, nibble);
    for (int p = 0; p < planes; ++p) {
      // 4 products of at most 15 x 127 to an int16.
      const __m256i pairs =
          _mm256_add_epi16(_mm256_maddubs_epi16(high, load(q.plane[p] + j)),
                           _mm256_maddubs_epi16(low, load(q.plane[p] + q.sub + j)));
      sum[p] = _mm256_add_epi32(sum[p], widen(pairs));
    }
  }
};

}  // namespace

void dot_u4_avx2(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  dot_all<Nibbles>(rows, n, stride, (d + 1) / 2, query, out);
}

}  // namespace fewbits
