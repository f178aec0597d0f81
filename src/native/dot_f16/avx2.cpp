#include "dot_f16.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx2.h"

constexpr size_t lanes = 16;  // two registers of 8

struct Halves {
  static constexpr size_t width = 32;

  __m128i low, high;

  static Halves load(const uint8_t* at) {
    const __m128i* from = reinterpret_cast<const __m128i*>(at);
    return {_mm_loadu_si128(from), _mm_loadu_si128(from + 1)};
  }
};

// Lanes 0-7 plus lanes 8-15 of `rows` rows: the first step of the tree.
template <int rows>
inline void dot_halves(const uint8_t* at, size_t stride, size_t d, const float* dense,
                       __m256* sum) {
  __m256 low[rows], high[rows];
  for (int r = 0; r < rows; ++r) low[r] = high[r] = _mm256_setzero_ps();
  const auto step = [&](size_t j, const auto& fetch) {
    const __m256 left = _mm256_load_ps(dense + j);
    const __m256 right = _mm256_load_ps(dense + j + 8);
    for (int r = 0; r < rows; ++r) {
      const uint8_t* from = at + static_cast<size_t>(r) * stride + 2 * j;
      prefetch(from);
      const Halves halves = fetch(from);
      low[r] = _mm256_add_ps(low[r], _mm256_mul_ps(_mm256_cvtph_ps(halves.low), left));
      high[r] = _mm256_add_ps(high[r], _mm256_mul_ps(_mm256_cvtph_ps(halves.high), right));
    }
  };
  size_t j = 0;
  for (; j + lanes <= d; j += lanes) step(j, Halves::load);
  if (j < d) step(j, [&](const uint8_t* from) { return load_part<Halves>(from, 2 * (d - j)); });
  for (int r = 0; r < rows; ++r) sum[r] = _mm256_add_ps(low[r], high[r]);
}

// The rest of the tree (4, 2, 1 apart) of 8 rows at once; lane r of the result is row r.
inline __m256 sum_floats(const __m256* a) {
  __m256d w[4];
  for (int i = 0; i < 4; ++i) {  // row i in the low half, row i + 4 in the high half
    w[i] = _mm256_castps_pd(_mm256_add_ps(_mm256_permute2f128_ps(a[i], a[i + 4], 0x20),
                                          _mm256_permute2f128_ps(a[i], a[i + 4], 0x31)));
  }
  __m256 x[2];
  for (int i = 0; i < 2; ++i) {
    x[i] = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(w[2 * i], w[2 * i + 1])),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(w[2 * i], w[2 * i + 1])));
  }
  return _mm256_add_ps(_mm256_shuffle_ps(x[0], x[1], 0x88), _mm256_shuffle_ps(x[0], x[1], 0xdd));
}

inline float sum_lanes(__m256 a) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

}  // namespace

void dot_f16_avx2(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                  float* out) {
  __m256 sum[group];
  size_t i = 0;
  for (; i + group <= n; i += group) {
    for (size_t r = 0; r < group; r += 4) {
      dot_halves<4>(rows + (i + r) * stride, stride, d, query.dense, sum + r);
    }
    _mm256_storeu_ps(out + i, sum_floats(sum));
  }
  for (; i < n; ++i) {
    dot_halves<1>(rows + i * stride, stride, d, query.dense, sum);
    out[i] = sum_lanes(sum[0]);
  }
}

}  // namespace fewbits
