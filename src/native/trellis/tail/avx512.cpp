#include "tail.h"

#include <immintrin.h>

#include <cmath>
#include <cstring>

namespace fewbits::trellis {
namespace {

inline float half_value(uint16_t half) { return _cvtsh_ss(half); }

inline void look_up(const float* table, const uint32_t* at, size_t n, float* to) {
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 some = static_cast<__mmask16>(n - i < 16 ? (1u << (n - i)) - 1 : 0xffffu);
    const __m512i lists = _mm512_maskz_loadu_epi32(some, at + i);
    const __m512 values =
        _mm512_mask_i32gather_ps(_mm512_setzero_ps(), some, lists, table, sizeof(float));
    _mm512_mask_storeu_ps(to + i, some, values);
  }
}

#include "body.h"
#include "../dot/avx512.h"
#include "../dot/walk.h"
#include "sift_avx512.h"

}  // namespace

const TailSteps tail_avx512 = {read_tails, score_tails, sift_rows};

}  // namespace fewbits::trellis
