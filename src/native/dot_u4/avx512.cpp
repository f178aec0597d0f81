#include "dot_u4.h"

#include <immintrin.h>

namespace fewbits {
namespace {

constexpr size_t width = 64;  // bytes per register
constexpr size_t group = 16;  // rows per reduction: one float result per lane
constexpr size_t ahead = 2048;  // bytes of prefetch: about ten 192-byte rows

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

// sum[p][first + r] = <nibbles of row r, plane p>, in 16 partial sums.
template <int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t d, const QueryView& q,
                     __m512i (*sum)[group], size_t first) {
  const size_t bytes = (d + 1) / 2;
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512i acc[planes][rows];
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < rows; ++r) acc[p][r] = _mm512_setzero_si512();
  }
  for (size_t j = 0; j < bytes; j += width) {
    const __mmask64 mask = low_bytes(bytes - j);
    __m512i even[planes], odd[planes];
    for (int p = 0; p < planes; ++p) {
      even[p] = _mm512_load_si512(q.plane[p] + j);
      odd[p] = _mm512_load_si512(q.plane[p] + q.sub + j);
    }
    for (int r = 0; r < rows; ++r) {
      const uint8_t* from = at + static_cast<size_t>(r) * stride + j;
      prefetch(from);
      const __m512i both = _mm512_maskz_loadu_epi8(mask, from);
      const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
      const __m512i low = _mm512_and_si512(both, nibble);
      for (int p = 0; p < planes; ++p) {
        acc[p][r] = _mm512_dpbusd_epi32(acc[p][r], high, even[p]);
        acc[p][r] = _mm512_dpbusd_epi32(acc[p][r], low, odd[p]);
      }
    }
  }
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < rows; ++r) sum[p][first + static_cast<size_t>(r)] = acc[p][r];
  }
}

template <int planes>
inline void dot_all(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& q,
                    float* out) {
  __m512i sum[planes][group];
  size_t i = 0;
  for (; i + group <= n; i += group) {
    for (size_t r = 0; r < group; r += 4) {
      dot_rows<planes, 4>(rows + (i + r) * stride, stride, d, q, sum, r);
    }
    __m512 v = finish_rows(q, 0, sum_rows(sum[0]));
    if (planes == 2) v = _mm512_add_ps(v, finish_rows(q, 1, sum_rows(sum[planes - 1])));
    _mm512_storeu_ps(out + i, v);
  }
  for (; i < n; ++i) {
    dot_rows<planes, 1>(rows + i * stride, stride, d, q, sum, 0);
    int32_t raw[2] = {0, 0};
    for (int p = 0; p < planes; ++p) raw[p] = _mm512_reduce_add_epi32(sum[p][0]);
    out[i] = finish_dot(q, raw);
  }
}

}  // namespace

void dot_u4_avx512(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  if (query.planes == 2) return dot_all<2>(rows, n, stride, d, query, out);
  dot_all<1>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
