#include "epilogue.h"

#include <immintrin.h>

namespace fewbits {
namespace {

constexpr size_t group = 16;  // rows per step: one score per lane

template <bool alpha, bool beta, bool nu>
inline void score_all(const uint8_t* rows, size_t n, size_t stride, size_t offset, float t,
                      float gamma, float* values) {
  const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  // 15 strides stay far below 2^31: a row of 65,535 halves has 131,070 bytes of codes.
  const __m512i index = _mm512_mullo_epi32(steps, _mm512_set1_epi32(static_cast<int32_t>(stride)));
  for (size_t i = 0; i < n; i += group) {
    const __mmask16 mask = n - i >= group ? 0xffff : static_cast<__mmask16>((1u << (n - i)) - 1);
    const uint8_t* at = rows + i * stride + offset;
    const auto next = [&] {
      const __m512 factor = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, index, at, 1);
      at += sizeof(float);
      return factor;
    };
    __m512 score = _mm512_maskz_loadu_ps(mask, values + i);
    if (alpha) score = _mm512_mul_ps(score, next());
    if (beta) score = _mm512_add_ps(score, _mm512_mul_ps(next(), _mm512_set1_ps(t)));
    if (nu) score = _mm512_sub_ps(score, next());
    _mm512_mask_storeu_ps(values + i, mask, _mm512_add_ps(score, _mm512_set1_ps(gamma)));
  }
}

}  // namespace

void epilogue_avx512(const uint8_t* rows, size_t n, size_t stride, const Factors& factors, float t,
                     float gamma, float* values) {
  using ScoreFn = void(const uint8_t*, size_t, size_t, size_t, float, float, float*);
  static constexpr ScoreFn* choices[8] = {
      score_all<false, false, false>, score_all<false, false, true>, score_all<false, true, false>,
      score_all<false, true, true>,   score_all<true, false, false>, score_all<true, false, true>,
      score_all<true, true, false>,   score_all<true, true, true>};
  const int choice = 4 * factors.alpha + 2 * factors.beta + factors.nu;
  choices[choice](rows, n, stride, factors.offset, t, gamma, values);
}

}  // namespace fewbits
