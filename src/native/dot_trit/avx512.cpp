#include "dot_trit.h"

#include <immintrin.h>

namespace fewbits {
namespace {

constexpr size_t width = 64;  // bytes per register
constexpr size_t group = 16;  // rows per reduction: one float result per lane
constexpr size_t ahead = 2048;  // bytes of prefetch: about 25 rows of 80 bytes
constexpr int digits = 5;      // per byte

// The low `left` bytes, all of them from 64 on.
inline __mmask64 low_bytes(size_t left) {
  return left >= width ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
}

inline void prefetch(const uint8_t* at) {
  _mm_prefetch(reinterpret_cast<const char*>(at + ahead), _MM_HINT_T0);
}

// Lane r: the sum of the 16 lanes of a[r], by a tree that adds and transposes at once.
inline __m512i sum_rows(const __m512i* a) {
  __m512i x[8], y[4], z[2];
  for (int i = 0; i < 8; ++i) {
    x[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(a[2 * i], a[2 * i + 1]),
                            _mm512_unpackhi_epi32(a[2 * i], a[2 * i + 1]));
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

// finish_dot's term of one plane for 16 rows.
inline __m512 finish_rows(const QueryView& q, int p, __m512i raw) {
  const __m512i scaled = _mm512_mullo_epi32(_mm512_set1_epi32(q.gain), raw);
  const __m512i centred = _mm512_sub_epi32(scaled, _mm512_set1_epi32(q.base[p]));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(centred), _mm512_set1_ps(q.weight[p]));
}

// 64 * ((3 v) >> 8) of each byte: (3 v) >> 2 by two halving adds, less its low six bits.
inline __m512i top_digit(__m512i v) {
  // avg rounds up: one less beforehand makes both averages round down.
  const __m512i less = _mm512_subs_epu8(v, _mm512_set1_epi8(1));
  const __m512i half = _mm512_avg_epu8(less, _mm512_setzero_si512());
  return _mm512_and_si512(_mm512_avg_epu8(less, half), _mm512_set1_epi8(-64));
}

// acc[p] += 64 * <digits of the bytes v, plane p from byte j on>.
template <int planes>
inline void add_digits(__m512i* acc, __m512i v, const QueryView& q, size_t j) {
  for (int k = 0; k < digits; ++k) {
    const __m512i digit = top_digit(v);
    for (int p = 0; p < planes; ++p) {
      const int8_t* plane = q.plane[p] + static_cast<size_t>(k) * q.sub + j;
      acc[p] = _mm512_dpbusd_epi32(acc[p], digit, _mm512_load_si512(plane));
    }
    v = _mm512_add_epi8(v, _mm512_add_epi8(v, v));
  }
}

// sum[p][first + r] = 64 * <digits of row r, plane p>, in 16 partial sums.
template <int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t d, const QueryView& q,
                     __m512i (*sum)[group], size_t first) {
  const size_t bytes = (d + 4) / 5;
  for (int r = 0; r < rows; ++r) {
    const uint8_t* from = at + static_cast<size_t>(r) * stride;
    __m512i acc[planes];
    for (int p = 0; p < planes; ++p) acc[p] = _mm512_setzero_si512();
    for (size_t j = 0; j < bytes; j += width) {
      prefetch(from + j);
      add_digits<planes>(acc, _mm512_maskz_loadu_epi8(low_bytes(bytes - j), from + j), q, j);
    }
    for (int p = 0; p < planes; ++p) sum[p][first + static_cast<size_t>(r)] = acc[p];
  }
}

// Exact: every sum is a multiple of 64.
inline __m512i unscale(__m512i sums) { return _mm512_srai_epi32(sums, 6); }

template <int planes>
inline void dot_all(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& q,
                    float* out) {
  __m512i sum[planes][group];
  size_t i = 0;
  for (; i + group <= n; i += group) {
    for (size_t r = 0; r < group; r += 4) {
      dot_rows<planes, 4>(rows + (i + r) * stride, stride, d, q, sum, r);
    }
    __m512 v = finish_rows(q, 0, unscale(sum_rows(sum[0])));
    if (planes == 2) v = _mm512_add_ps(v, finish_rows(q, 1, unscale(sum_rows(sum[planes - 1]))));
    _mm512_storeu_ps(out + i, v);
  }
  for (; i < n; ++i) {
    dot_rows<planes, 1>(rows + i * stride, stride, d, q, sum, 0);
    int32_t raw[2] = {0, 0};
    for (int p = 0; p < planes; ++p) raw[p] = _mm512_reduce_add_epi32(sum[p][0]) >> 6;
    out[i] = finish_dot(q, raw);
  }
}

}  // namespace

void dot_trit_avx512(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                     float* out) {
  if (query.planes == 2) return dot_all<2>(rows, n, stride, d, query, out);
  dot_all<1>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
