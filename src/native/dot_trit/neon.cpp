#include "dot_trit.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

#include "../lanes/neon.h"

constexpr int digits = 5;  // per byte

// (3 v) >> 8 of each byte: a halving add makes (3 v) >> 2, of which the top two bits stay.
inline uint8x16_t top_digit(uint8x16_t v) {
  return vshrq_n_u8(vhaddq_u8(v, vshrq_n_u8(v, 1)), 6);
}

struct Digits : Register {
  template <int planes>
  static void add(uint8x16_t v, const QueryView& q, size_t j, int32x4_t* sum) {
    int16x8_t tens[planes];  // 10 products of at most 2 x 127 to an int16
    for (int p = 0; p < planes; ++p) tens[p] = vdupq_n_s16(0);
    for (int k = 0; k < digits; ++k) {
      const uint8x16_t digit = top_digit(v);
      for (int p = 0; p < planes; ++p) {
        tens[p] = multiply_add(tens[p], digit, q.plane[p] + static_cast<size_t>(k) * q.sub + j);
      }
      v = vaddq_u8(v, vaddq_u8(v, v));
    }
    for (int p = 0; p < planes; ++p) sum[p] = vpadalq_s16(sum[p], tens[p]);
  }
};

}  // namespace

void dot_trit_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  dot_all<Digits>(rows, n, stride, (d + 4) / 5, query, out);
}

}  // namespace fewbits
