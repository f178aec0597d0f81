#include "hamming.h"

#include <immintrin.h>

namespace fewbits {
namespace {

constexpr size_t width = 64;  // bytes per register
constexpr size_t group = 16;  // rows per reduction: one float result per lane
constexpr size_t ahead = 2048;  // bytes of prefetch: about 36 rows of 56 bytes

// The low `left` bytes, all of them from 64 on.
inline __mmask64 low_bytes(size_t left) {
  return left >= width ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
}

// Differing bits of one row, counted in 8 partial sums of 64 bits.
inline __m512i count_row(const uint8_t* row, size_t bytes, const int8_t* query) {
  _mm_prefetch(reinterpret_cast<const char*>(row + ahead), _MM_HINT_T0);
  __m512i sum = _mm512_setzero_si512();
  for (size_t j = 0; j < bytes; j += width) {
    const __m512i bits = _mm512_maskz_loadu_epi8(low_bytes(bytes - j), row + j);
    const __m512i differ = _mm512_xor_si512(bits, _mm512_load_si512(query + j));
    sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(differ));
  }
  return sum;
}

// Lane r: the sum of the 8 counts of a[r], by a tree that adds and transposes at once. Counts leave
// the upper half of each 64-bit lane empty: the first step puts the second row there.
inline __m512i sum_rows(const __m512i* a) {
  __m512i x[8], y[4], z[2];
  for (int i = 0; i < 8; ++i) {
    x[i] = _mm512_mask_shuffle_epi32(a[2 * i], 0xaaaa, a[2 * i + 1], _MM_PERM_CCAA);
  }
  for (int i = 0; i < 4; ++i) {
    y[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(x[2 * i], x[2 * i + 1]),
                            _mm512_unpackhi_epi64(x[2 * i], x[2 * i + 1]));
  }
  for (int i = 0; i < 2; ++i) {
    z[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(y[2 * i], y[2 * i + 1], 0x44),
                            _mm512_shuffle_i32x4(y[2 * i], y[2 * i + 1], 0xee));
  }
  return _mm512_add_epi32(_mm512_shuffle_i32x4(z[0], z[1], 0x88),
                          _mm512_shuffle_i32x4(z[0], z[1], 0xdd));
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
    const __m512i differences = sum_rows(sum);
    const __m512i agreement = _mm512_sub_epi32(whole, _mm512_slli_epi32(differences, 1));
    _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_cvtepi32_ps(agreement), weight));
  }
  for (; i < n; ++i) {
    const __m512i sum = count_row(rows + i * stride, bytes, other);
    out[i] = finish_hamming(query, d, static_cast<uint32_t>(_mm512_reduce_add_epi64(sum)));
  }
}

}  // namespace fewbits
