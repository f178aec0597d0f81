#include <arm_neon.h>

#include "block.h"

namespace fewbits::trellis {
namespace {

constexpr size_t quads = 4;  // registers of a strip: 4 lanes of 4 bytes each

inline int8x16_t four(const uint8_t* at) {  // less 128, so that signed bytes hold them
  uint32_t bytes;
  __builtin_memcpy(&bytes, at, sizeof bytes);
  return vreinterpretq_s8_u8(veorq_u8(vreinterpretq_u8_u32(vdupq_n_u32(bytes)), vdupq_n_u8(128)));
}

// sum[q]: <row, plane> - 128 * total of lanes 4 q ... Two products of 128 x 127 fit 16 bits.
inline void add_row(const int8_t* plane, const uint8_t* u, size_t dwords, int32x4_t (&sum)[quads]) {
  int32x4_t low[quads], high[quads];
  for (size_t q = 0; q < quads; ++q) low[q] = high[q] = vdupq_n_s32(0);
  for (size_t c = 0; c < dwords; c += 2, u += 8, plane += 128) {
    const int8x16_t first = four(u), second = four(u + 4);
    for (size_t q = 0; q < quads; ++q) {
      const int8x16_t a = vld1q_s8(plane + 16 * q), b = vld1q_s8(plane + 64 + 16 * q);
      const int16x8_t near = vmull_s8(vget_low_s8(first), vget_low_s8(a));
      low[q] = vpadalq_s16(low[q], vmlal_s8(near, vget_low_s8(second), vget_low_s8(b)));
      high[q] = vpadalq_s16(high[q], vmlal_high_s8(vmull_high_s8(first, a), second, b));
    }
  }
  for (size_t q = 0; q < quads; ++q) sum[q] = vpaddq_s32(low[q], high[q]);
}

inline uint32x4_t passing(const Tile& tile, const Block& block, size_t lane, size_t row,
                          int32x4_t sum) {
  float32x4_t bound = vmulq_n_f32(vcvtq_f32_s32(sum), block.s[row]);
  bound = vmlaq_n_f32(bound, vld1q_f32(tile.reach + lane), block.spread[row]);
  bound = vmlaq_n_f32(bound, vld1q_f32(tile.bias + lane), block.b[row]);
  if (tile.gamma != nullptr) {
    const float* gamma = tile.gamma + block.list[row] * tile.pitch + lane;
    bound = vmlaq_n_f32(bound, vld1q_f32(gamma), block.x[row]);
  }
  return vcgeq_f32(bound, vld1q_f32(tile.limit + lane));
}

void sift(const Tile& tile, const Block& block, uint64_t* out) {
  const uint32x4_t bits = {1, 2, 4, 8};
  for (size_t r = 0; r < block.rows; ++r) {
    out[r] = 0;
    for (size_t strip = 0; strip < tile.strips; ++strip) {
      int32x4_t sum[quads];
      add_row(tile.plane + strip * tile.dwords * 64, block.u + r * block.width, tile.dwords, sum);
      for (size_t q = 0; q < quads; ++q) {
        const size_t lane = strip * strip_lanes + 4 * q;
        const int32x4_t start = vaddq_s32(vld1q_s32(tile.start + lane),
                                          vshlq_n_s32(vld1q_s32(tile.total + lane), 7));
        const uint32x4_t hits = passing(tile, block, lane, r, vaddq_s32(sum[q], start));
        out[r] |= uint64_t{vaddvq_u32(vandq_u32(hits, bits))} << lane;
      }
    }
  }
}

void pair_dot(const Block& block, const uint32_t* pair, size_t count, const Planes* planes,
              int32_t* out) {
  for (size_t i = 0; i < 2 * count; ++i) {
    const uint8_t* u = block.u + pair[i / 2] / tile_lanes * block.width;
    const int8_t* plane = planes[pair[i / 2] % tile_lanes].plane[i % 2];
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t j = 0; j < block.width; j += 8) {
      const int16x8_t values = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(u + j)));
      const int16x8_t bytes = vmovl_s8(vld1_s8(plane + j));
      sum = vmlal_s16(sum, vget_low_s16(values), vget_low_s16(bytes));
      sum = vmlal_high_s16(sum, values, bytes);
    }
    out[i] = vaddvq_s32(sum);
  }
}

}  // namespace

const BlockSteps block_neon = {unpack_scalar, squares_scalar, sift, pair_dot};

}  // namespace fewbits::trellis
