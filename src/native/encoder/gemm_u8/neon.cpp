#include "gemm_u8.h"

#include <arm_neon.h>

#include <utility>

namespace fewbits::encoder {
namespace {

#include "../../trellis/each.h"
#include "finish_neon.h"

// Inputs as code - 128 (-128..127), weights -127..127: two products reach 2 * 128 * 127 = 32,512 at
// most, so that an int16 holds them, those of one channel from two quads.
//
// Tile sizes: 3 rows x 4 registers of sums (a register is 2 channels, each as the sums of inputs
// 0, 1 and 2, 3 of every quad) and 4 registers of weights, those of 8 channels and 2 quads.
constexpr size_t tile_rows = 3;
constexpr size_t half = panel / 2;  // channels of a tile

// Two channels times the inputs of `quads` quads.
template <size_t quads>
inline int16x8_t products(const int8x16_t* inputs, const int8_t* codes, bool high) {
  int16x8_t out = vdupq_n_s16(0);
  for (size_t q = 0; q < quads; ++q) {
    const int8x16_t weights = vld1q_s8(codes + 64 * q);
    out = high ? vmlal_high_s8(out, inputs[q], weights)
               : vmlal_s8(out, vget_low_s8(inputs[q]), vget_low_s8(weights));
  }
  return out;
}

// Adds `quads` (1 or 2) quads from step x on.
template <size_t quads, size_t rows>
inline void add_quads(const uint8_t* a, size_t a_stride, const int8_t* codes,
                      int32x4_t (&sum)[rows][4]) {
  constexpr std::make_index_sequence<rows> every_row;
  constexpr std::make_index_sequence<4> every_pair;
  each(every_row, [&](size_t r) {
    int8x16_t inputs[quads];
    for (size_t q = 0; q < quads; ++q) inputs[q] = signed_quad(a + r * a_stride + 4 * q);
    each(every_pair, [&](size_t c) {
      sum[r][c] = vpadalq_s16(sum[r][c], products<quads>(inputs, codes + c / 2 * 16, c % 2 == 1));
    });
  });
}

// flatten: sums that any function not inlined captures would live in memory.
template <size_t rows>
[[gnu::flatten]] void tile(const Job& job, size_t row, size_t at) {
  constexpr std::make_index_sequence<rows> every_row;
  const size_t steps = quads(job.w.k);
  const uint8_t* a = job.a + row * job.a_stride;
  const int8_t* codes = job.w.codes + at / panel * steps * 64 + at % panel * 4;
  int32x4_t sum[rows][4];
  each(every_row, [&](size_t r) {
    for (size_t c = 0; c < 4; ++c) sum[r][c] = vdupq_n_s32(0);
  });
  size_t x = 0;
  for (; x + 2 <= steps; x += 2) add_quads<2>(a + 4 * x, job.a_stride, codes + 64 * x, sum);
  if (x < steps) add_quads<1>(a + 4 * x, job.a_stride, codes + 64 * x, sum);
  each(every_row, [&](size_t r) {
    finish(job, row + r, at, vpaddq_s32(sum[r][0], sum[r][1]));
    finish(job, row + r, at + 4, vpaddq_s32(sum[r][2], sum[r][3]));
  });
}

using Tile = void(const Job& job, size_t row, size_t at);
constexpr Tile* tiles[] = {tile<1>, tile<2>, tile<3>};

}  // namespace

void gemm_u8_neon(const uint8_t* a, size_t m, size_t a_stride, const Row* rows, const WeightsI8& w,
                  size_t first_panel, size_t last_panel, float* out, size_t out_stride) {
  const Job job = {a, a_stride, rows, w, out, out_stride};
  const size_t end = last_panel * panel < w.n ? last_panel * panel : w.n;
  for (size_t at = first_panel * panel; at < end; at += half) {
    for (size_t i = 0, count; i < m; i += count) {
      count = m - i < tile_rows ? m - i : tile_rows;
      tiles[count - 1](job, i, at);
    }
  }
}

}  // namespace fewbits::encoder
