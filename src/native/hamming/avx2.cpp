#include "hamming.h"

#include <immintrin.h>

namespace fewbits {
namespace {

constexpr size_t width = 8;  // bytes per population count

inline uint64_t load(const void* at) {
  uint64_t bits;
  __builtin_memcpy(&bits, at, sizeof bits);
  return bits;
}

// The last `left` < 8 of `bytes` bytes at `row`, zeros above: never a read past the row.
inline uint64_t load_part(const uint8_t* row, size_t bytes, size_t left) {
  if (bytes >= width) return load(row + (bytes - width)) >> (8 * (width - left));
  uint64_t bits = 0;  // here left == bytes
  for (size_t b = left; b > 0; --b) bits = bits << 8 | row[b - 1];
  return bits;
}

inline uint64_t differing(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(_mm_popcnt_u64(a ^ b));
}

// `last`: the query's bytes that meet load_part's.
template <size_t rows>
inline void count_rows(const uint8_t* at, size_t stride, size_t bytes, const int8_t* other,
                       uint64_t last, uint64_t* differences) {
  uint64_t sum[rows] = {0};
  for (size_t b = 0; b + width <= bytes; b += width) {
    const uint64_t wanted = load(other + b);
    for (size_t r = 0; r < rows; ++r) sum[r] += differing(load(at + r * stride + b), wanted);
  }
  const size_t left = bytes % width;
  for (size_t r = 0; r < rows; ++r) {
    if (left != 0) sum[r] += differing(load_part(at + r * stride, bytes, left), last);
    differences[r] = sum[r];
  }
}

}  // namespace

void hamming_avx2(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                  float* out) {
  constexpr size_t group = 4;  // rows in flight: their loop and query loads are shared
  const size_t bytes = (d + 7) / 8;
  const int8_t* other = query.plane[0];
  const size_t whole = bytes / width * width;
  const uint64_t last = whole < bytes ? load(other + whole) : 0;  // the plane is zero padded
  uint64_t differences[group];
  size_t i = 0;
  for (; i + group <= n; i += group) {
    count_rows<group>(rows + i * stride, stride, bytes, other, last, differences);
    for (size_t r = 0; r < group; ++r) {
      out[i + r] = finish_hamming(query, d, static_cast<uint32_t>(differences[r]));
    }
  }
  for (; i < n; ++i) {
    count_rows<1>(rows + i * stride, stride, bytes, other, last, differences);
    out[i] = finish_hamming(query, d, static_cast<uint32_t>(differences[0]));
  }
}

}  // namespace fewbits
