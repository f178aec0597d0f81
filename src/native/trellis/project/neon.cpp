#include "project.h"

#include <arm_neon.h>

namespace fewbits::trellis {
namespace {

constexpr size_t tile_rows = 4;

// One block of 16 columns; vld2q parts the pairs into their first and second dimensions.
template <size_t rows>
void tile(const int16_t* at, size_t row_stride, const Packed& columns, size_t block, int32_t* out,
          size_t out_stride) {
  int32x4_t sum[rows][4];
  for (size_t r = 0; r < rows; ++r) {
    for (size_t part = 0; part < 4; ++part) sum[r][part] = vdupq_n_s32(0);
  }
  const int16_t* from = columns.block(block);
  for (size_t p = 0; p < columns.pairs(); ++p, from += 2 * project_block) {
    for (size_t half = 0; half < 2; ++half) {
      const int16x8x2_t column = vld2q_s16(from + 16 * half);
      for (size_t r = 0; r < rows; ++r) {
        const int16_t* row = at + r * row_stride + 2 * p;
        for (int e = 0; e < 2; ++e) {
          int32x4_t& low = sum[r][2 * half];
          int32x4_t& high = sum[r][2 * half + 1];
          low = vmlal_n_s16(low, vget_low_s16(column.val[e]), row[e]);
          high = vmlal_n_s16(high, vget_high_s16(column.val[e]), row[e]);
        }
      }
    }
  }
  for (size_t r = 0; r < rows; ++r) {
    for (size_t part = 0; part < 4; ++part) {
      vst1q_s32(out + r * out_stride + block * project_block + 4 * part, sum[r][part]);
    }
  }
}

}  // namespace

void project_neon(const int16_t* rows, size_t n, size_t row_stride, const Packed& columns,
                  int32_t* out, size_t out_stride) {
  for (size_t b = 0; b * project_block < columns.count(); ++b) {
    size_t i = 0;
    for (; i + tile_rows <= n; i += tile_rows) {
      tile<tile_rows>(rows + i * row_stride, row_stride, columns, b, out + i * out_stride,
                      out_stride);
    }
    for (; i < n; ++i) {
      tile<1>(rows + i * row_stride, row_stride, columns, b, out + i * out_stride, out_stride);
    }
  }
}

}  // namespace fewbits::trellis
