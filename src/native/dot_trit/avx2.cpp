#include "dot_trit.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx2.h"

constexpr int digits = 5;  // per byte

// (3 v) >> 8 of each byte: two halving adds make (3 v) >> 2, of which the top two bits stay.
inline __m256i top_digit(__m256i v) {
  // avg rounds up: one less beforehand makes both averages round down.
  const __m256i less = _mm256_subs_epu8(v, _mm256_set1_epi8(1));
  const __m256i half = _mm256_avg_epu8(less, _mm256_setzero_si256());
  const __m256i quarter = _mm256_srli_epi16(_mm256_avg_epu8(less, half), 6);
  return _mm256_and_si256(quarter, _mm256_set1_epi8(3));
}

struct Digits : Register {
  template <int planes>
  static void add(__m256i v, const QueryView& q, size_t j, __m256i* sum) {
    __m256i pairs[planes];  // 10 products of at most 2 x 127 to an int16
    for (int p = 0; p < planes; ++p) pairs[p] = _mm256_setzero_si256();
    for (int k = 0; k < digits; ++k) {
      const __m256i digit = top_digit(v);
      for (int p = 0; p < planes; ++p) {
        const __m256i plane = load(q.plane[p] + static_cast<size_t>(k) * q.sub + j);
        pairs[p] = _mm256_add_epi16(pairs[p], _mm256_maddubs_epi16(digit, plane));
      }
      v = _mm256_add_epi8(v, _mm256_add_epi8(v, v));
    }
    for (int p = 0; p < planes; ++p) sum[p] = _mm256_add_epi32(sum[p], widen(pairs[p]));
  }
};

}  // namespace

void dot_trit_avx2(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  dot_all<Digits>(rows, n, stride, (d + 4) / 5, query, out);
}

}  // namespace fewbits
