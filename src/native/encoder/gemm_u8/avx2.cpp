#include "gemm_u8.h"

#include <immintrin.h>

#include <utility>

namespace fewbits::encoder {
namespace {

#include "../../trellis/each.h"

// vpmaddubsw would saturate: 2 * 255 * 127 > 32,767. Inputs less their zero (|x| <= 255) and codes
// are widened to int16 instead, and vpmaddwd adds two products exactly.
//
// Tile sizes: 6 rows x 2 registers of sums, 2 of weights, one of inputs and one of products. Such a
// register holds 4 channels, each as the sums of inputs 0, 1 and of inputs 2, 3 of every quad.
constexpr size_t tile_rows = 6;
constexpr size_t half = panel / 2;    // channels of a tile
constexpr size_t chunk_steps = 1024;  // quads of a row that are widened at a time

struct Job {
  const uint8_t* a;
  size_t a_stride;
  const Row* rows;
  const WeightsI8& w;
  float* out;
  size_t out_stride;
  int16_t* wide;  // tile_rows rows of 4 * chunk_steps inputs
};

inline void widen_row(const uint8_t* a, int32_t zero, size_t steps, int16_t* wide) {
  const __m256i zeros = _mm256_set1_epi16(static_cast<int16_t>(zero));
  size_t x = 0;
  for (; x + 4 <= steps; x += 4) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + 4 * x));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(wide + 4 * x),
                        _mm256_sub_epi16(_mm256_cvtepu8_epi16(codes), zeros));
  }
  for (size_t i = 4 * x; i < 4 * steps; ++i) wide[i] = static_cast<int16_t>(a[i] - zero);
}

// Steps [from, from + steps) of `rows` rows.
inline void widen(const Job& job, size_t row, size_t rows, size_t from, size_t steps) {
  for (size_t r = 0; r < rows; ++r) {
    widen_row(job.a + (row + r) * job.a_stride + 4 * from, job.rows[row + r].zero, steps,
              job.wide + r * 4 * steps);
  }
}

inline __m256i lanes_below(size_t count) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(count)), lane);
}

// 8 channels of one row from channel `at` on.
inline void finish(const Job& job, size_t row, size_t at, __m256i low, __m256i high) {
  const __m256i pairs = _mm256_hadd_epi32(low, high);  // channels 0 1 4 5 2 3 6 7
  const __m256 sum = _mm256_cvtepi32_ps(_mm256_permute4x64_epi64(pairs, 0xd8));
  const __m256 scale = _mm256_mul_ps(_mm256_set1_ps(job.rows[row].scale),
                                     _mm256_loadu_ps(job.w.scale + at));
  const __m256 value = _mm256_fmadd_ps(sum, scale, _mm256_loadu_ps(job.w.bias + at));
  float* out = job.out + row * job.out_stride + at;
  if (at + half <= job.w.n) {
    _mm256_storeu_ps(out, value);
  } else {
    _mm256_maskstore_ps(out, lanes_below(job.w.n - at), value);
  }
}

// flatten: sums that any function not inlined captures would live in memory.
template <size_t rows>
[[gnu::flatten]] void tile(const Job& job, size_t row, size_t at) {
  constexpr std::make_index_sequence<rows> every_row;
  constexpr std::make_index_sequence<2> both;
  const size_t all = quads(job.w.k);
  const int8_t* codes = job.w.codes + at / panel * all * 64 + at % panel * 4;
  __m256i sum[rows][2], weights[2];
  each(every_row, [&](size_t r) { sum[r][0] = sum[r][1] = _mm256_setzero_si256(); });
  for (size_t from = 0, steps; from < all; from += steps) {
    steps = all - from < chunk_steps ? all - from : chunk_steps;
    if (steps < all) widen(job, row, rows, from, steps);
    const int16_t* wide0 = job.wide;
    const int16_t* wide3 = wide0 + 3 * 4 * steps;
#pragma GCC unroll 4
    for (size_t x = 0; x < steps; ++x) {
      each(both, [&](size_t b) {
        const __m128i* from_codes = reinterpret_cast<const __m128i*>(codes) + b;
        weights[b] = _mm256_cvtepi8_epi16(_mm_load_si128(from_codes));
      });
      each(every_row, [&](size_t r) {
        int64_t quad;
        __builtin_memcpy(&quad, (r < 3 ? wide0 : wide3) + r % 3 * 4 * steps, sizeof quad);
        const __m256i inputs = _mm256_set1_epi64x(quad);
        each(both, [&](size_t b) {
          sum[r][b] = _mm256_add_epi32(sum[r][b], _mm256_madd_epi16(inputs, weights[b]));
        });
      });
      wide0 += 4, wide3 += 4, codes += 64;
    }
  }
  each(every_row, [&](size_t r) { finish(job, row + r, at, sum[r][0], sum[r][1]); });
}

using Tile = void(const Job& job, size_t row, size_t at);
constexpr Tile* tiles[] = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>};

}  // namespace

// Rows outside: they are widened once (longer ones than a chunk at every tile).
void gemm_u8_avx2(const uint8_t* a, size_t m, size_t a_stride, const Row* rows, const WeightsI8& w,
                  size_t first_panel, size_t last_panel, float* out, size_t out_stride) {
  alignas(32) int16_t wide[tile_rows * 4 * chunk_steps];
  const Job job = {a, a_stride, rows, w, out, out_stride, wide};
  const size_t end = last_panel * panel < w.n ? last_panel * panel : w.n;
  for (size_t i = 0, count; i < m; i += count) {
    count = m - i < tile_rows ? m - i : tile_rows;
    if (quads(w.k) <= chunk_steps) widen(job, i, count, 0, quads(w.k));
    for (size_t at = first_panel * panel; at < end; at += half) tiles[count - 1](job, i, at);
  }
}

}  // namespace fewbits::encoder
