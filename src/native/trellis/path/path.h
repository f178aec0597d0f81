// path.h - the best path through the trellis (Viterbi) for up to 16 rows at once.
//
// Over all trellis columns in stored order, costs S[state], 32 states, S[0] = 0, others 30000:
//   fold   M = S; for half = 16, 8, .. 2^(6-R): M[j] = min(M[j], M[j + half]); a tie keeps j
//   cost   e = sat16(Y - level[w]), doubled (saturating) so often as the width says;
//          cost[w] = satu16(M[w >> R] + (e e >> 16)) for the 64 windows w
//   keep   S[s] = min(cost[s], cost[s + 32]), a tie keeps s; after 8 columns min S is subtracted
// then back from the first smallest S; a column's symbol is w & (2^R - 1), the state before it is
// what the folds chose for w >> R.
//
// Every choice is a bit of a word: choices[bit * 16 + row], `bit` the column's first stream bit for
// the choice among the windows (bit s: s + 32 won), and the R - 1 bits after it for the folds
// (bit j: j + half won).
#pragma once
#include <cstddef>
#include <cstdint>

#include "../plan.h"

namespace fewbits::trellis {

inline constexpr size_t path_rows = 16;

// cost_scale * level, what targets are compared with.
struct Scaled {
  alignas(64) int16_t level[most_trellis_width][windows];
};
constexpr Scaled scaled_levels() {
  Scaled out{};
  for (int r = 0; r < most_trellis_width; ++r) {
    for (int w = 0; w < windows; ++w) {
      out.level[r][w] = static_cast<int16_t>(levels[r][w] * cost_scale[r]);
    }
  }
  return out;
}
inline constexpr Scaled scaled = scaled_levels();

struct PathScratch {
  uint32_t* choices;             // plan.stream_bits * 16, 64-byte aligned
  uint16_t (*costs)[states];     // 16 rows, 64-byte aligned
};

// y: 16 rows (whatever n is) of targets, y_stride values apart, both halves of a word holding the
// same int16. Writes the trellis bytes of n rows, `stride` bytes apart.
using PathFn = void(const Plan& plan, const int32_t* y, size_t y_stride, size_t n,
                    const PathScratch& scratch, uint8_t* codes, size_t stride);

PathFn path_scalar, path_avx2, path_avx512, path_neon;

}  // namespace fewbits::trellis
