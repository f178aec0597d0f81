#include "dot_i8.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

#include "../lanes/neon.h"

struct Bytes : Register {
  template <int planes>
  static void add(uint8x16_t bytes, const QueryView& q, size_t j, int32x4_t* sum) {
    const int8x16_t codes = vreinterpretq_s8_u8(bytes);
    for (int p = 0; p < planes; ++p) {
      const int8x16_t plane = vld1q_s8(q.plane[p] + j);
      // Two products of at most 128 x 127 to an int16.
      int16x8_t pairs = vmull_s8(vget_low_s8(codes), vget_low_s8(plane));
      pairs = vmlal_high_s8(pairs, codes, plane);
      sum[p] = vpadalq_s16(sum[p], pairs);
    }
  }
};

}  // namespace

void dot_i8_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  dot_all<Bytes>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
