#include "hamming.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

constexpr size_t width = 16;  // bytes per register

inline uint8x16_t load(const void* at) { return vld1q_u8(static_cast<const uint8_t*>(at)); }

// 16 bytes, the first `left` of them from `at`, zeros after them.
inline uint8x16_t load_part(const uint8_t* at, size_t left) {
  alignas(width) uint8_t copy[width] = {0};
  __builtin_memcpy(copy, at, left);
  return load(copy);
}

// Differing bits; an int16 lane takes at most 16 of each of the 512 steps of the longest row.
inline uint32_t count_row(const uint8_t* row, size_t bytes, const int8_t* query) {
  uint16x8_t sum = vdupq_n_u16(0);
  const auto step = [&](size_t j, uint8x16_t bits) {
    sum = vpadalq_u8(sum, vcntq_u8(veorq_u8(bits, load(query + j))));
  };
  size_t j = 0;
  for (; j + width <= bytes; j += width) step(j, load(row + j));
  if (j < bytes) step(j, load_part(row + j, bytes - j));
  return vaddlvq_u16(sum);
}

}  // namespace

void hamming_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                  float* out) {
  const size_t bytes = (d + 7) / 8;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t differences = count_row(rows + i * stride, bytes, query.plane[0]);
    out[i] = finish_hamming(query, d, differences);
  }
}

}  // namespace fewbits
