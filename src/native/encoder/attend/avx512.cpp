#include "attend.h"

#include <immintrin.h>

#include <cstdint>
#include <utility>

#include "room.h"

namespace fewbits::encoder {
namespace {

#include "../lanes/avx512.h"
#include "tile.h"

// 16 registers of sums hide the latency of an addition; 24 are no faster.
struct Shape {
  static constexpr size_t rows = 8, blocks = 2;
};

// Rows r, r + 4, r + 8, r + 12: four floats of each, a quarter of a register each.
inline __m512 quarters(const float* from, size_t stride, size_t last, size_t r) {
  const auto row = [=](size_t i) { return _mm_loadu_ps(from + (i < last ? i : last) * stride); };
  const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(row(r)), row(r + 4), 1);
  const __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(row(r + 8)), row(r + 12), 1);
  return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

// to[d][r] = from[min(r, last)][d], d and r below 16.
inline void turn(const float* from, size_t stride, size_t last, float* to) {
  // Within each quarter q of a register: key 4 q + lane.
  for (size_t d = 0; d < 16; d += 4) {
    const __m512 a = quarters(from + d, stride, last, 0), b = quarters(from + d, stride, last, 1);
    const __m512 c = quarters(from + d, stride, last, 2), e = quarters(from + d, stride, last, 3);
    const __m512 ab_low = _mm512_unpacklo_ps(a, b), ab_high = _mm512_unpackhi_ps(a, b);
    const __m512 ce_low = _mm512_unpacklo_ps(c, e), ce_high = _mm512_unpackhi_ps(c, e);
    _mm512_storeu_ps(to + d * 16, _mm512_shuffle_ps(ab_low, ce_low, 0x44));
    _mm512_storeu_ps(to + d * 16 + 16, _mm512_shuffle_ps(ab_low, ce_low, 0xee));
    _mm512_storeu_ps(to + d * 16 + 32, _mm512_shuffle_ps(ab_high, ce_high, 0x44));
    _mm512_storeu_ps(to + d * 16 + 48, _mm512_shuffle_ps(ab_high, ce_high, 0xee));
  }
}

#include "body.h"

}  // namespace

void attend_avx512(const Sequence& s, size_t first, size_t last, float* context, float* scratch) {
  attend(s, first, last, context, scratch);
}

}  // namespace fewbits::encoder
