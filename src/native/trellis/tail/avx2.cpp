#include "tail.h"

#include <immintrin.h>

#include <cmath>
#include <cstring>

namespace fewbits::trellis {
namespace {

inline float half_value(uint16_t half) { return _cvtsh_ss(half); }

inline void look_up(const float* table, const uint32_t* at, size_t n, float* to) {
  for (size_t i = 0; i < n; ++i) to[i] = table[at[i]];
}

#include "body.h"

}  // namespace

const TailSteps tail_avx2 = {read_tails, score_tails};

}  // namespace fewbits::trellis
