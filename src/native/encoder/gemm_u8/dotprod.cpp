// 64-bit ARM with the dot product instructions (-march=armv8.2-a+dotprod).
#include "gemm_u8.h"

#include <arm_neon.h>

#include <utility>

namespace fewbits::encoder {
namespace {

#include "../../trellis/each.h"
#include "finish_neon.h"

// Tile sizes: 5 rows x 4 registers of sums (a panel), 4 registers of weights; compilers want one of
// inputs for every row, so that a sixth row would put sums into memory.
constexpr size_t tile_rows = 5;

// flatten: sums that any function not inlined captures would live in memory.
template <size_t rows>
[[gnu::flatten]] void tile(const Job& job, size_t row, size_t at) {
  constexpr std::make_index_sequence<rows> every_row;
  constexpr std::make_index_sequence<4> every_four;
  const size_t steps = quads(job.w.k);
  const uint8_t* a = job.a + row * job.a_stride;
  const int8_t* codes = job.w.codes + at / panel * steps * 64;
  int32x4_t sum[rows][4];
  int8x16_t weights[4];
  each(every_row, [&](size_t r) {
    each(every_four, [&](size_t c) { sum[r][c] = vdupq_n_s32(0); });
  });
  for (size_t x = 0; x < steps; ++x) {
    each(every_four, [&](size_t c) { weights[c] = vld1q_s8(codes + 64 * x + 16 * c); });
    each(every_row, [&](size_t r) {
      const int8x16_t inputs = signed_quad(a + r * job.a_stride + 4 * x);
      each(every_four, [&](size_t c) { sum[r][c] = vdotq_s32(sum[r][c], inputs, weights[c]); });
    });
  }
  each(every_row, [&](size_t r) {
    each(every_four, [&](size_t c) { finish(job, row + r, at + 4 * c, sum[r][c]); });
  });
}

using Tile = void(const Job& job, size_t row, size_t at);
constexpr Tile* tiles[] = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>};

}  // namespace

void gemm_u8_dotprod(const uint8_t* a, size_t m, size_t a_stride, const Row* rows,
                     const WeightsI8& w, size_t first_panel, size_t last_panel, float* out,
                     size_t out_stride) {
  const Job job = {a, a_stride, rows, w, out, out_stride};
  for (size_t p = first_panel; p < last_panel; ++p) {
    for (size_t i = 0, count; i < m; i += count) {
      count = m - i < tile_rows ? m - i : tile_rows;
      tiles[count - 1](job, i, p * panel);
    }
  }
}

}  // namespace fewbits::encoder
