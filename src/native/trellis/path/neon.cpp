#include "path.h"

#include <arm_neon.h>

namespace fewbits::trellis {
namespace {

#include "trace.h"

constexpr size_t together = 2;  // rows in flight: each waits for its own last column

// The eighth of the costs that holds what a block of 8 windows starts from.
constexpr int piece_of(int width, int block) { return (8 * block >> width) / 8; }

// Byte indices into that piece: window w takes entry w >> R.
struct Spread {
  alignas(16) uint8_t byte[most_trellis_width][2 * windows];
};
constexpr Spread make_spread() {
  Spread out{};
  for (int r = 1; r <= most_trellis_width; ++r) {
    for (int w = 0; w < windows; ++w) {
      const int entry = (w >> r) - 8 * piece_of(r, w / 8);
      out.byte[r - 1][2 * w] = static_cast<uint8_t>(2 * entry);
      out.byte[r - 1][2 * w + 1] = static_cast<uint8_t>(2 * entry + 1);
    }
  }
  return out;
}
constexpr Spread spread = make_spread();
alignas(16) constexpr uint8_t bits_of_byte[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                                  1, 2, 4, 8, 16, 32, 64, 128};

struct Costs {
  uint16x8_t at[4];  // 8 states each
};

// Bit i: the second cost of lane i won.
inline uint32_t won16(uint16x8_t a0, uint16x8_t b0, uint16x8_t a1, uint16x8_t b1) {
  const uint8x16_t bytes = vuzp1q_u8(vreinterpretq_u8_u16(vcgtq_u16(a0, b0)),
                                     vreinterpretq_u8_u16(vcgtq_u16(a1, b1)));
  uint8x16_t sums = vandq_u8(bytes, vld1q_u8(bits_of_byte));
  for (int i = 0; i < 3; ++i) sums = vpaddq_u8(sums, sums);
  return vgetq_lane_u16(vreinterpretq_u16_u8(sums), 0);
}

// The costs that windows start from, in the lowest 2^(6-R) places.
template <int R>
inline Costs fold(Costs m, uint32_t* choices) {
  if constexpr (R >= 2) {
    choices[path_rows] = won16(m.at[0], m.at[2], m.at[1], m.at[3]);
    m.at[0] = vminq_u16(m.at[0], m.at[2]);
    m.at[1] = vminq_u16(m.at[1], m.at[3]);
  }
  if constexpr (R >= 3) {
    choices[2 * path_rows] = won16(m.at[0], m.at[1], m.at[0], m.at[1]);
    m.at[0] = vminq_u16(m.at[0], m.at[1]);
  }
  if constexpr (R >= 4) {
    const uint16x8_t other = vextq_u16(m.at[0], m.at[0], 4);
    choices[3 * path_rows] = won16(m.at[0], other, m.at[0], other);
    m.at[0] = vminq_u16(m.at[0], other);
  }
  return m;
}

template <int R, int block>
inline uint16x8_t windows_of(const Costs& folded, int16x8_t y) {
  int16x8_t e = vqsubq_s16(y, vld1q_s16(scaled.level[R - 1] + 8 * block));
  for (int i = 0; i < doublings[R - 1]; ++i) e = vqaddq_s16(e, e);
  const int16x8_t low = vreinterpretq_s16_s32(vmull_s16(vget_low_s16(e), vget_low_s16(e)));
  const int16x8_t high = vreinterpretq_s16_s32(vmull_high_s16(e, e));
  const uint8x16_t before = vqtbl1q_u8(vreinterpretq_u8_u16(folded.at[piece_of(R, block)]),
                                       vld1q_u8(spread.byte[R - 1] + 16 * block));
  const int16x8_t squares = vuzp2q_s16(low, high);  // the upper halves of the products
  return vqaddq_u16(vreinterpretq_u16_u8(before), vreinterpretq_u16_s16(squares));
}

template <int R>
inline Costs next(const Costs& costs, int32_t target, uint32_t* choices) {
  const int16x8_t y = vreinterpretq_s16_s32(vdupq_n_s32(target));
  const Costs m = fold<R>(costs, choices);
  const uint16x8_t first[4] = {windows_of<R, 0>(m, y), windows_of<R, 1>(m, y),
                               windows_of<R, 2>(m, y), windows_of<R, 3>(m, y)};
  const uint16x8_t second[4] = {windows_of<R, 4>(m, y), windows_of<R, 5>(m, y),
                                windows_of<R, 6>(m, y), windows_of<R, 7>(m, y)};
  choices[0] = won16(first[0], second[0], first[1], second[1]) |
               won16(first[2], second[2], first[3], second[3]) << 16;
  return {{vminq_u16(first[0], second[0]), vminq_u16(first[1], second[1]),
           vminq_u16(first[2], second[2]), vminq_u16(first[3], second[3])}};
}

inline void subtract_least(Costs& costs) {
  const uint16x8_t least = vminq_u16(vminq_u16(costs.at[0], costs.at[1]),
                                     vminq_u16(costs.at[2], costs.at[3]));
  const uint16x8_t all = vdupq_n_u16(vminvq_u16(least));
  for (uint16x8_t& part : costs.at) part = vsubq_u16(part, all);
}

template <int R>
void add_run(const Run& run, const int32_t* y, size_t y_stride, uint32_t* choices,
             uint16_t (*costs)[states]) {
  Costs at[together];
  for (size_t i = 0; i < together; ++i) {
    for (int p = 0; p < 4; ++p) at[i].at[p] = vld1q_u16(costs[i] + 8 * p);
  }
  y += run.column;
  choices += 8 * run.byte * path_rows;
  for (size_t group = 0; group < run.columns / group_columns; ++group) {
    for (size_t c = 0; c < group_columns; ++c, ++y, choices += R * path_rows) {
      at[0] = next<R>(at[0], y[0], choices);
      at[1] = next<R>(at[1], y[y_stride], choices + 1);
    }
    for (Costs& row : at) subtract_least(row);
  }
  for (size_t i = 0; i < together; ++i) {
    for (int p = 0; p < 4; ++p) vst1q_u16(costs[i] + 8 * p, at[i].at[p]);
  }
}

#include "walk.h"

}  // namespace

void path_neon(const Plan& plan, const int32_t* y, size_t y_stride, size_t n,
               const PathScratch& scratch, uint8_t* codes, size_t stride) {
  walk(plan, y, y_stride, n, scratch);
  trace(plan, scratch, n, codes, stride);
}

}  // namespace fewbits::trellis
