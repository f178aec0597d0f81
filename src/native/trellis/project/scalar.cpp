#include "project.h"

namespace fewbits::trellis {

void project_scalar(const int16_t* rows, size_t n, size_t row_stride, const Packed& columns,
                    int32_t* out, size_t out_stride) {
  for (size_t b = 0; b * project_block < columns.count(); ++b) {
    for (size_t i = 0; i < n; ++i) {
      const int16_t* row = rows + i * row_stride;
      const int16_t* at = columns.block(b);
      uint32_t sum[project_block] = {0};  // unsigned: wraps
      for (size_t p = 0; p < columns.pairs(); ++p, at += 2 * project_block) {
        for (size_t j = 0; j < project_block; ++j) {
          sum[j] += static_cast<uint32_t>(row[2 * p] * at[2 * j] + row[2 * p + 1] * at[2 * j + 1]);
        }
      }
      int32_t* to = out + i * out_stride + b * project_block;
      for (size_t j = 0; j < project_block; ++j) to[j] = static_cast<int32_t>(sum[j]);
    }
  }
}

}  // namespace fewbits::trellis
