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

// acc[p] += 64 * <digits of the bytes v, plane p>, whose sub-plane k is fetch(p, k).
template <int planes, typename Fetch>
inline void add_digits(__m512i* acc, __m512i v, const Fetch& fetch) {
  for (int k = 0; k < digits; ++k) {
    const __m512i digit = top_digit(v);
    for (int p = 0; p < planes; ++p) acc[p] = _mm512_dpbusd_epi32(acc[p], digit, fetch(p, k));
    v = _mm512_add_epi8(v, _mm512_add_epi8(v, v));
  }
}

// The last 16 or fewer bytes of four rows in one register; 128-bit lane r belongs to row r.
template <int planes>
inline void add_tails(const uint8_t* at, size_t stride, size_t left, const QueryView& q, size_t j,
                      __m512i (*acc)[4]) {
  const __mmask16 mask = static_cast<__mmask16>((1u << left) - 1);
  __m512i v = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(mask, at));
  v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(mask, at + stride), 1);
  v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(mask, at + 2 * stride), 2);
  v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(mask, at + 3 * stride), 3);
  __m512i sum[planes];
  for (int p = 0; p < planes; ++p) sum[p] = _mm512_setzero_si512();
  add_digits<planes>(sum, v, [&](int p, int k) {
    const int8_t* plane = q.plane[p] + static_cast<size_t>(k) * q.sub + j;
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(plane)));
  });
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < 4; ++r) {
      const __mmask16 own = static_cast<__mmask16>(15 << (4 * r));
      acc[p][r] = _mm512_mask_add_epi32(acc[p][r], own, acc[p][r], sum[p]);
    }
  }
}

// sum[p][first + r] = 64 * <digits of row r, plane p>, in 16 partial sums.
template <int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t d, const QueryView& q,
                     __m512i (*sum)[group], size_t first) {
  const size_t bytes = (d + 4) / 5;
  const size_t left = bytes % width;
  const bool share = rows == 4 && left > 0 && left <= 16;
  const size_t apart = share ? bytes - left : bytes;  // bytes that each row reads for itself
  __m512i acc[planes][4];
  for (int r = 0; r < rows; ++r) {
    const uint8_t* from = at + static_cast<size_t>(r) * stride;
    __m512i own[planes];
    for (int p = 0; p < planes; ++p) own[p] = _mm512_setzero_si512();
    for (size_t j = 0; j < apart; j += width) {
      prefetch(from + j);
      const __m512i v = _mm512_maskz_loadu_epi8(low_bytes(apart - j), from + j);
      add_digits<planes>(own, v, [&](int p, int k) {
        return _mm512_load_si512(q.plane[p] + static_cast<size_t>(k) * q.sub + j);
      });
    }
    for (int p = 0; p < planes; ++p) acc[p][r] = own[p];
  }
  if (share) add_tails<planes>(at + apart, stride, left, q, apart, acc);
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < rows; ++r) sum[p][first + static_cast<size_t>(r)] = acc[p][r];
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
