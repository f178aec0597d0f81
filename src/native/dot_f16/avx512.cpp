#include "dot_f16.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx512.h"

constexpr size_t lanes = 16;

// The 16 lanes of `rows` rows, before the tree.
template <int rows>
inline void dot_halves(const uint8_t* at, size_t stride, size_t d, const float* dense,
                       __m512* sum) {
  __m512 acc[rows];
  for (int r = 0; r < rows; ++r) acc[r] = _mm512_setzero_ps();
  const auto add = [&](int r, __m256i halves, size_t j) {
    const __m512 product = _mm512_mul_ps(_mm512_cvtph_ps(halves), _mm512_load_ps(dense + j));
    acc[r] = _mm512_add_ps(acc[r], product);
  };
  size_t j = 0;
  for (; j + lanes <= d; j += lanes) {
    for (int r = 0; r < rows; ++r) {
      const uint8_t* from = at + static_cast<size_t>(r) * stride + 2 * j;
      prefetch(from);
      add(r, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)), j);
    }
  }
  if (j < d) {
    const __mmask32 mask = (__mmask32{1} << (2 * (d - j))) - 1;
    for (int r = 0; r < rows; ++r) {
      add(r, _mm256_maskz_loadu_epi8(mask, at + static_cast<size_t>(r) * stride + 2 * j), j);
    }
  }
  for (int r = 0; r < rows; ++r) sum[r] = acc[r];
}

// The fixed tree (8, 4, 2, 1 apart) of 16 rows at once; lane r of the result is row r.
inline __m512 sum_floats(const __m512* a) {
  __m512 w[8], x[4], y[2];
  for (int i = 0; i < 8; ++i) {  // rows 2i | 2i + 1, 8 lanes each
    w[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0x44),
                         _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0xee));
  }
  for (int i = 0; i < 4; ++i) {  // rows 4i .. 4i + 3, 4 lanes each
    x[i] = _mm512_add_ps(_mm512_shuffle_f32x4(w[2 * i], w[2 * i + 1], 0x88),
                         _mm512_shuffle_f32x4(w[2 * i], w[2 * i + 1], 0xdd));
  }
  for (int i = 0; i < 2; ++i) {  // lane pairs of rows 8i + m and 8i + 4 + m, m the 128-bit lane
    const __m512d low = _mm512_castps_pd(x[2 * i]);
    const __m512d high = _mm512_castps_pd(x[2 * i + 1]);
    y[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
  }
  const __m512 mixed = _mm512_add_ps(_mm512_shuffle_ps(y[0], y[1], 0x88),
                                     _mm512_shuffle_ps(y[0], y[1], 0xdd));
  // Lane 4m + s holds row 4s + m.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_ps(order, mixed);
}

inline float sum_lanes(__m512 a) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

}  // namespace

void dot_f16_avx512(const uint8_t* rows, size_t n, size_t stride, size_t d,
                    const QueryView& query, float* out) {
  __m512 sum[group];
  size_t i = 0;
  for (; i + group <= n; i += group) {
    for (size_t r = 0; r < group; r += 4) {
      dot_halves<4>(rows + (i + r) * stride, stride, d, query.dense, sum + r);
    }
    _mm512_storeu_ps(out + i, sum_floats(sum));
  }
  for (; i < n; ++i) {
    dot_halves<1>(rows + i * stride, stride, d, query.dense, sum);
    out[i] = sum_lanes(sum[0]);
  }
}

}  // namespace fewbits
