#include "tail.h"

#include <arm_neon.h>

#include <cmath>
#include <cstring>

namespace fewbits::trellis {
namespace {

inline float half_value(uint16_t half) {
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(half))), 0);
}

inline void look_up(const float* table, const uint32_t* at, size_t n, float* to) {
  for (size_t i = 0; i < n; ++i) to[i] = table[at[i]];
}

#include "body.h"

}  // namespace

const TailSteps tail_neon = {read_tails, score_tails};

}  // namespace fewbits::trellis
