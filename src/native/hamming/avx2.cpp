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

}  // namespace

void hamming_avx2(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                  float* out) {
  const size_t bytes = (d + 7) / 8;
  const size_t left = bytes % width;
  const int8_t* other = query.plane[0];
  const uint64_t last = left != 0 ? load(other + (bytes - left)) : 0;  // the plane is zero padded
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* row = rows + i * stride;
    uint64_t differences = 0;
    for (size_t b = 0; b + width <= bytes; b += width) {
      differences += differing(load(row + b), load(other + b));
    }
    if (left != 0) differences += differing(load_part(row, bytes, left), last);
    out[i] = finish_hamming(query, d, static_cast<uint32_t>(differences));
  }
}

}  // namespace fewbits
