#include "dot_b1.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

#include "../lanes/neon.h"

struct Bits {
  static constexpr size_t width = 2;           // 16 bits meet 16 plane bytes
  static constexpr size_t block = 64 * width;  // 64 steps in int16: 64 x 2 x 127 < 2^15

  // 255 in byte i where bit i is set.
  static uint8x16_t load(const uint8_t* at) {
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
    return vtstq_u8(vcombine_u8(vdup_n_u8(at[0]), vdup_n_u8(at[1])), bit);
  }

  template <int planes>
  static void add(uint8x16_t set, const QueryView& q, size_t j, int16x8_t* pairs) {
    for (int p = 0; p < planes; ++p) {
      const int8x16_t plane = vld1q_s8(q.plane[p] + 8 * j);
      pairs[p] = vpadalq_s8(pairs[p], vandq_s8(vreinterpretq_s8_u8(set), plane));
    }
  }
};

}  // namespace

void dot_b1_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  dot_all<Bits>(rows, n, stride, (d + 7) / 8, query, out);
}

}  // namespace fewbits
