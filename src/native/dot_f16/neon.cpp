#include "dot_f16.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

#include "../lanes/neon.h"

constexpr size_t lanes = 16;  // four registers of 4

struct Halves {
  static constexpr size_t width = 32;

  uint8x16_t low, high;

  static Halves load(const uint8_t* at) { return {vld1q_u8(at), vld1q_u8(at + 16)}; }
};

inline void multiply_add(float32x4_t* sum, uint8x16_t halves, const float* dense) {
  const float16x8_t half = vreinterpretq_f16_u8(halves);
  const float32x4_t low = vmulq_f32(vcvt_f32_f16(vget_low_f16(half)), vld1q_f32(dense));
  const float32x4_t high = vmulq_f32(vcvt_high_f32_f16(half), vld1q_f32(dense + 4));
  sum[0] = vaddq_f32(sum[0], low);
  sum[1] = vaddq_f32(sum[1], high);
}

template <int rows>
inline void dot_halves(const uint8_t* at, size_t stride, size_t d, const float* dense, float* out) {
  float32x4_t sum[rows][4];
  for (int r = 0; r < rows; ++r) {
    for (int s = 0; s < 4; ++s) sum[r][s] = vdupq_n_f32(0);
  }
  const auto step = [&](size_t j, const auto& fetch) {
    for (int r = 0; r < rows; ++r) {
      const Halves halves = fetch(at + static_cast<size_t>(r) * stride + 2 * j);
      multiply_add(sum[r], halves.low, dense + j);
      multiply_add(sum[r] + 2, halves.high, dense + j + 8);
    }
  };
  size_t j = 0;
  for (; j + lanes <= d; j += lanes) step(j, Halves::load);
  if (j < d) step(j, [&](const uint8_t* from) { return load_part<Halves>(from, 2 * (d - j)); });
  for (int r = 0; r < rows; ++r) {  // the fixed tree: 8, 4, 2, 1 apart
    const float32x4_t four =
        vaddq_f32(vaddq_f32(sum[r][0], sum[r][2]), vaddq_f32(sum[r][1], sum[r][3]));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    out[r] = vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
}

}  // namespace

void dot_f16_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                  float* out) {
  constexpr size_t group = 4;  // rows in flight: 16 of the 32 registers are sums
  size_t i = 0;
  for (; i + group <= n; i += group) {
    dot_halves<group>(rows + i * stride, stride, d, query.dense, out + i);
  }
  for (; i < n; ++i) dot_halves<1>(rows + i * stride, stride, d, query.dense, out + i);
}

}  // namespace fewbits
