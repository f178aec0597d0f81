#include "dot_trit.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx512.h"

constexpr int digits = 5;             // per byte
constexpr size_t most_chunks = 16;    // weights of one plane stay within a quarter of the L1 cache
constexpr size_t worth_weights = 16;  // rows from which making the weights pays

// 64 * ((3 v) >> 8) of each byte: (3 v) >> 2 by two halving adds, less its low six bits.
inline __m512i top_digit(__m512i v) {
  // avg rounds up: one less beforehand makes both averages round down.
  const __m512i less = _mm512_subs_epu8(v, _mm512_set1_epi8(1));
  const __m512i half = _mm512_avg_epu8(less, _mm512_setzero_si512());
  return _mm512_and_si512(_mm512_avg_epu8(less, half), _mm512_set1_epi8(-64));
}

// One row, digit by digit: no weights to make.
template <int planes>
inline float dot_row(const uint8_t* row, size_t bytes, const QueryView& q) {
  __m512i acc[planes];  // 64 times the sums: 64 x 2 x 127 x 65,535 < 2^31
  for (int p = 0; p < planes; ++p) acc[p] = _mm512_setzero_si512();
  for (size_t j = 0; j < bytes; j += width) {
    __m512i v = _mm512_maskz_loadu_epi8(low_bytes(bytes - j), row + j);
    for (int k = 0; k < digits; ++k) {
      const __m512i digit = top_digit(v);
      for (int p = 0; p < planes; ++p) {
        const int8_t* plane = q.plane[p] + static_cast<size_t>(k) * q.sub + j;
        acc[p] = _mm512_dpbusd_epi32(acc[p], digit, _mm512_load_si512(plane));
      }
      v = _mm512_add_epi8(v, _mm512_add_epi8(v, v));
    }
  }
  for (int p = 0; p < planes; ++p) acc[p] = _mm512_srai_epi32(acc[p], 6);
  return finish_row<planes>(q, acc);
}

// With f(k) = (3^k v) >> 8, digit k is f(k + 1) - 3 f(k), so
//   sum_k digit(k) q(k) = sum_k f(k + 1) (q(k) - 3 q(k + 1)),  q(5) = 0:
// one multiplication makes f of 32 bytes, and the weights fit 16 bits. [k][0] belongs to the even
// bytes of 64, [k][1] to the odd ones.
struct Weights {
  __m512i word[digits][2];
};

inline void make_weights(const int8_t* plane, size_t sub, size_t bytes, Weights* out) {
  for (size_t j = 0; j < bytes; j += width, ++out) {
    const bool shared = bytes - j <= 16;  // see add_tails
    __m512i even = _mm512_setzero_si512(), odd = even;
    for (int k = digits; k-- > 0;) {
      const __m512i q = _mm512_load_si512(plane + static_cast<size_t>(k) * sub + j);
      const __m512i q_even = _mm512_srai_epi16(_mm512_slli_epi16(q, 8), 8);
      const __m512i q_odd = _mm512_srai_epi16(q, 8);
      const __m512i three = _mm512_set1_epi16(3);
      __m512i* word = out->word[k];
      word[0] = _mm512_sub_epi16(q_even, _mm512_mullo_epi16(even, three));
      word[1] = _mm512_sub_epi16(q_odd, _mm512_mullo_epi16(odd, three));
      if (shared) {
        word[0] = _mm512_broadcast_i32x4(_mm512_castsi512_si128(word[0]));
        word[1] = _mm512_broadcast_i32x4(_mm512_castsi512_si128(word[1]));
      }
      even = q_even;
      odd = q_odd;
    }
  }
}

// acc[p] += <digits of the bytes v, plane p>.
template <int planes>
inline void add_bytes(__m512i* acc, __m512i v, const Weights* const* weights, size_t chunk) {
  const __m512i shifted[2] = {_mm512_slli_epi16(v, 8),
                              _mm512_and_si512(v, _mm512_set1_epi16(-256))};
  constexpr short powers[digits] = {3, 9, 27, 81, 243};
  for (int k = 0; k < digits; ++k) {
    for (int h = 0; h < 2; ++h) {
      const __m512i f = _mm512_mulhi_epu16(shifted[h], _mm512_set1_epi16(powers[k]));
      for (int p = 0; p < planes; ++p) {
        acc[p] = _mm512_dpwssd_epi32(acc[p], f, weights[p][chunk].word[k][h]);
      }
    }
  }
}

// The last 16 or fewer bytes of four rows in one register; 128-bit lane r belongs to row r.
template <int planes>
inline void add_tails(const uint8_t* at, size_t stride, size_t left, const Weights* const* weights,
                      size_t chunk, __m512i (*acc)[group], size_t first) {
  const __mmask16 mask = static_cast<__mmask16>((1u << left) - 1);
  __m512i v = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(mask, at));
  v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(mask, at + stride), 1);
  v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(mask, at + 2 * stride), 2);
  v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(mask, at + 3 * stride), 3);
  __m512i sum[planes];
  for (int p = 0; p < planes; ++p) sum[p] = _mm512_setzero_si512();
  add_bytes<planes>(sum, v, weights, chunk);
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < 4; ++r) {
      const __mmask16 own = static_cast<__mmask16>(15 << (4 * r));
      __m512i& total = acc[p][first + static_cast<size_t>(r)];
      total = _mm512_mask_add_epi32(total, own, total, sum[p]);
    }
  }
}

// All whole groups of rows by weights; returns the number of rows done.
template <int planes>
[[gnu::noinline]] size_t dot_groups(const uint8_t* rows, size_t n, size_t stride, size_t bytes,
                                    const QueryView& q, float* out) {
  Weights made[planes][most_chunks];
  const Weights* weights[planes];
  for (int p = 0; p < planes; ++p) {
    make_weights(q.plane[p], q.sub, bytes, made[p]);
    weights[p] = made[p];
  }
  const size_t left = bytes % width;
  const size_t apart = left > 0 && left <= 16 ? bytes - left : bytes;
  size_t i = 0;
  for (; i + group <= n; i += group) {
    __m512i sum[planes][group];
    for (size_t r = 0; r < group; ++r) {
      const uint8_t* row = rows + (i + r) * stride;
      __m512i acc[planes];
      for (int p = 0; p < planes; ++p) acc[p] = _mm512_setzero_si512();
      for (size_t j = 0; j < apart; j += width) {
        prefetch(row + j);
        const __m512i v = _mm512_maskz_loadu_epi8(low_bytes(apart - j), row + j);
        add_bytes<planes>(acc, v, weights, j / width);
      }
      for (int p = 0; p < planes; ++p) sum[p][r] = acc[p];
    }
    for (size_t r = 0; r < group && apart < bytes; r += 4) {
      add_tails<planes>(rows + (i + r) * stride + apart, stride, left, weights, apart / width,
                        sum, r);
    }
    finish_sums<planes>(q, sum, out + i);
  }
  return i;
}

template <int planes>
inline void dot_trits(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& q,
                      float* out) {
  const size_t bytes = (d + 4) / 5;
  const bool weights = n >= worth_weights && bytes <= most_chunks * width;
  size_t i = weights ? dot_groups<planes>(rows, n, stride, bytes, q, out) : 0;
  for (; i < n; ++i) out[i] = dot_row<planes>(rows + i * stride, bytes, q);
}

}  // namespace

void dot_trit_avx512(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                     float* out) {
  if (query.planes == 2) return dot_trits<2>(rows, n, stride, d, query, out);
  dot_trits<1>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
