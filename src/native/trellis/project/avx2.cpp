#include "project.h"

#include <immintrin.h>

namespace fewbits::trellis {
namespace {

constexpr size_t tile_rows = 4;

// One block of 16 columns; 4 rows x 2 registers of sums.
template <size_t rows>
void tile(const int16_t* at, size_t row_stride, const Packed& columns, size_t block, int32_t* out,
          size_t out_stride) {
  __m256i sum[rows][2];
  for (size_t r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  const int16_t* from = columns.block(block);
  for (size_t p = 0; p < columns.pairs(); ++p, from += 2 * project_block) {
    const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(from + 16));
    for (size_t r = 0; r < rows; ++r) {
      int32_t pair;
      __builtin_memcpy(&pair, at + r * row_stride + 2 * p, sizeof pair);
      const __m256i row = _mm256_set1_epi32(pair);
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(row, low));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(row, high));
    }
  }
  for (size_t r = 0; r < rows; ++r) {
    __m256i* to = reinterpret_cast<__m256i*>(out + r * out_stride + block * project_block);
    _mm256_storeu_si256(to, sum[r][0]);
    _mm256_storeu_si256(to + 1, sum[r][1]);
  }
}

}  // namespace

void project_avx2(const int16_t* rows, size_t n, size_t row_stride, const Packed& columns,
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
