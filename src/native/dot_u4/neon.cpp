#include "dot_u4.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

#include "../lanes/neon.h"

struct Nibbles : Register {
  template <int planes>
  static void add(uint8x16_t both, const QueryView& q, size_t j, int32x4_t* sum) {
    const uint8x16_t high = vshrq_n_u8(both, 4);
    const uint8x16_t low = vandq_u8(both, vdupq_n_u8(15));
    for (int p = 0; p < planes; ++p) {
      // 4 products of at most 15 x 127 to an int16.
      int16x8_t fours = multiply_add(vdupq_n_s16(0), high, q.plane[p] + j);
      fours = multiply_add(fours, low, q.plane[p] + q.sub + j);
      sum[p] = vpadalq_s16(sum[p], fours);
    }
  }
};

}  // namespace

void dot_u4_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  dot_all<Nibbles>(rows, n, stride, (d + 1) / 2, query, out);
}

}  // namespace fewbits
