#include "hamming.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

#include "../lanes/neon.h"

// Differing bits; an int16 lane takes at most 16 of each of the 512 steps of the longest row.
inline uint32_t count_row(const uint8_t* row, size_t bytes, const int8_t* query) {
  uint16x8_t sum = vdupq_n_u16(0);
  constexpr size_t width = Register::width;
  const auto step = [&](size_t j, uint8x16_t bits) {
    sum = vpadalq_u8(sum, vcntq_u8(veorq_u8(bits, Register::load(query + j))));
  };
  size_t j = 0;
  for (; j + width <= bytes; j += width) step(j, Register::load(row + j));
  if (j < bytes) step(j, load_part<Register>(row + j, bytes - j));
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
