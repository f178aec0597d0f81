#include "project.h"

#include <immintrin.h>

#include <utility>

namespace fewbits::trellis {
namespace {

#include "../each.h"

// Tile sizes: 6 rows x 4 registers of sums, 4 of columns and one of the row fill the register file.
constexpr size_t tile_rows = 6;
constexpr size_t tile_blocks = 4;

// By assembly: GCC 12 copies the sums of its own intrinsic from register to register.
inline __m512i add_pairs(__m512i sum, __m512i row, __m512i column) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(row), "v"(column));
  return sum;
}

template <size_t rows, size_t blocks>
void tile(const int16_t* at, size_t row_stride, const Packed& columns, size_t block, int32_t* out,
          size_t out_stride) {
  constexpr std::make_index_sequence<rows> every_row;
  constexpr std::make_index_sequence<blocks> every_block;
  __m512i sum[rows][blocks], column[blocks];
  each(every_row, [&](size_t r) {
    each(every_block, [&](size_t b) { sum[r][b] = _mm512_setzero_si512(); });
  });
  const size_t pairs = columns.pairs();
  const int16_t* from = columns.block(block);
  for (size_t p = 0; p < pairs; ++p) {
    each(every_block, [&](size_t b) {
      column[b] = _mm512_load_si512(from + (b * pairs + p) * 32);
    });
    each(every_row, [&](size_t r) {
      int32_t pair;
      __builtin_memcpy(&pair, at + r * row_stride + 2 * p, sizeof pair);
      const __m512i row = _mm512_set1_epi32(pair);
      each(every_block, [&](size_t b) {
        sum[r][b] = add_pairs(sum[r][b], row, column[b]);
      });
    });
  }
  each(every_row, [&](size_t r) {
    each(every_block, [&](size_t b) {
      _mm512_storeu_si512(out + r * out_stride + (block + b) * project_block, sum[r][b]);
    });
  });
}

template <size_t blocks>
void band(const int16_t* rows, size_t n, size_t row_stride, const Packed& columns, size_t block,
          int32_t* out, size_t out_stride) {
  size_t i = 0;
  for (; i + tile_rows <= n; i += tile_rows) {
    tile<tile_rows, blocks>(rows + i * row_stride, row_stride, columns, block,
                            out + i * out_stride, out_stride);
  }
  for (; i + 2 <= n; i += 2) {
    tile<2, blocks>(rows + i * row_stride, row_stride, columns, block, out + i * out_stride,
                    out_stride);
  }
  if (i < n) {
    tile<1, blocks>(rows + i * row_stride, row_stride, columns, block, out + i * out_stride,
                    out_stride);
  }
}

}  // namespace

void project_avx512(const int16_t* rows, size_t n, size_t row_stride, const Packed& columns,
                    int32_t* out, size_t out_stride) {
  const size_t blocks = project_size(columns.count()) / project_block;
  size_t b = 0;
  for (; b + tile_blocks <= blocks; b += tile_blocks) {
    band<tile_blocks>(rows, n, row_stride, columns, b, out, out_stride);
  }
  for (; b < blocks; ++b) band<1>(rows, n, row_stride, columns, b, out, out_stride);
}

}  // namespace fewbits::trellis
