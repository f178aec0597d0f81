#include "hamming.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx512.h"

// Differing bits of one row, counted in 8 partial sums of 64 bits.
inline __m512i count_row(const uint8_t* row, size_t bytes, const int8_t* query) {
  prefetch(row);
  __m512i sum = _mm512_setzero_si512();
  for (size_t j = 0; j < bytes; j += width) {
    const __m512i bits = _mm512_maskz_loadu_epi8(low_bytes(bytes - j), row + j);
    const __m512i differ = _mm512_xor_si512(bits, _mm512_load_si512(query + j));
    sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(differ));
  }
  return sum;
}

// Lane r: the sum of the 8 counts of a[r]. Counts leave the upper half of each 64-bit lane empty:
// every second row goes there.
inline __m512i sum_counts(const __m512i* a) {
  __m512i pairs[8];
  for (int i = 0; i < 8; ++i) {
    pairs[i] = _mm512_mask_shuffle_epi32(a[2 * i], 0xaaaa, a[2 * i + 1], _MM_PERM_CCAA);
  }
  return sum_pairs(pairs);
}

}  // namespace

void hamming_avx512(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                    float* out) {
  const size_t bytes = (d + 7) / 8;
  const int8_t* other = query.plane[0];
  const __m512i whole = _mm512_set1_epi32(static_cast<int32_t>(d));
  const __m512 weight = _mm512_set1_ps(query.weight[0]);
  size_t i = 0;
  for (; i + group <= n; i += group) {
    __m512i sum[group];
    for (size_t r = 0; r < group; ++r) {
      sum[r] = count_row(rows + (i + r) * stride, bytes, other);
    }
    const __m512i differences = sum_counts(sum);
    const __m512i agreement = _mm512_sub_epi32(whole, _mm512_slli_epi32(differences, 1));
    _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_cvtepi32_ps(agreement), weight));
  }
  for (; i < n; ++i) {
    const __m512i sum = count_row(rows + i * stride, bytes, other);
    out[i] = finish_hamming(query, d, static_cast<uint32_t>(_mm512_reduce_add_epi64(sum)));
  }
}

}  // namespace fewbits
