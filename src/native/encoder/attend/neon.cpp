#include "attend.h"

#include <arm_neon.h>

#include <utility>

#include "room.h"

namespace fewbits::encoder {
namespace {

#include "../lanes/neon.h"
#include "tile.h"

// 16 registers of sums hide the latency of an addition; 24 are no faster.
struct Shape {
  static constexpr size_t rows = 8, blocks = 2;
};

// to[d][r] = from[min(r, last)][d], d and r below 4.
inline void turn(const float* from, size_t stride, size_t last, float* to) {
  const auto row = [=](size_t i) { return vld1q_f32(from + (i < last ? i : last) * stride); };
  const float32x4x2_t even = vzipq_f32(row(0), row(2)), odd = vzipq_f32(row(1), row(3));
  const float32x4x2_t low = vzipq_f32(even.val[0], odd.val[0]);
  const float32x4x2_t high = vzipq_f32(even.val[1], odd.val[1]);
  vst1q_f32(to, low.val[0]);
  vst1q_f32(to + 4, low.val[1]);
  vst1q_f32(to + 8, high.val[0]);
  vst1q_f32(to + 12, high.val[1]);
}

#include "body.h"

}  // namespace

void attend_neon(const Sequence& s, size_t first, size_t last, float* context, float* scratch) {
  attend(s, first, last, context, scratch);
}

}  // namespace fewbits::encoder
