// project.h - inner products of int16 rows and int16 columns, exact in int32.
//
// out[i, j] = sum over dimensions of rows[i, .] columns[j, .]. Sums wrap on the way; the result is
// exact where it fits int32 (rows of length 32766 and columns of length 32767 always do).
// Columns are packed in blocks of 16: dimension pair p of column j is at
//   packed[((j / 16) * pairs + p) * 32 + (j % 16) * 2], two values; missing columns are zeros.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fewbits::trellis {

inline constexpr size_t project_block = 16;

// Rows (int16) are zero padded to this many values.
static inline size_t row16_size(size_t d) { return (d + 31) / 32 * 32; }
// Results of one row: columns rounded up to whole blocks.
static inline size_t project_size(size_t columns) { return (columns + 15) / 16 * 16; }

// int16 columns in the order that project reads, 64-byte aligned.
class Packed {
 public:
  Packed() = default;
  Packed(const int16_t* columns, size_t count, size_t d);  // columns: (count, d)

  size_t count() const { return count_; }
  size_t pairs() const { return pairs_; }
  const int16_t* block(size_t b) const { return storage_.data() + shift_ + b * pairs_ * 32; }

 private:
  size_t count_ = 0, pairs_ = 0, shift_ = 0;
  std::vector<int16_t> storage_;
};

// rows: n rows of row16_size(d) values, `row_stride` values apart, 4-byte aligned;
// out: n rows of project_size(count) values, `out_stride` values apart.
using ProjectFn = void(const int16_t* rows, size_t n, size_t row_stride, const Packed& columns,
                       int32_t* out, size_t out_stride);

ProjectFn project_scalar, project_avx2, project_avx512, project_neon;

}  // namespace fewbits::trellis
