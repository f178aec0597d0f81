#include "attend.h"

#include <immintrin.h>

#include <utility>

#include "room.h"

namespace fewbits::encoder {
namespace {

#include "../lanes/avx2.h"
#include "tile.h"

// 12 registers of sums, 2 of columns and one of the row.
struct Shape {
  static constexpr size_t rows = 6, blocks = 2;
};

// Rows r and r + 4: four floats of each.
inline __m256 halves(const float* from, size_t stride, size_t last, size_t r) {
  const auto row = [=](size_t i) { return _mm_loadu_ps(from + (i < last ? i : last) * stride); };
  return _mm256_insertf128_ps(_mm256_castps128_ps256(row(r)), row(r + 4), 1);
}

// to[d][r] = from[min(r, last)][d], d and r below 8.
inline void turn(const float* from, size_t stride, size_t last, float* to) {
  for (size_t d = 0; d < 8; d += 4) {
    const __m256 a = halves(from + d, stride, last, 0), b = halves(from + d, stride, last, 1);
    const __m256 c = halves(from + d, stride, last, 2), e = halves(from + d, stride, last, 3);
    const __m256 ab_low = _mm256_unpacklo_ps(a, b), ab_high = _mm256_unpackhi_ps(a, b);
    const __m256 ce_low = _mm256_unpacklo_ps(c, e), ce_high = _mm256_unpackhi_ps(c, e);
    _mm256_storeu_ps(to + d * 8, _mm256_shuffle_ps(ab_low, ce_low, 0x44));
    _mm256_storeu_ps(to + d * 8 + 8, _mm256_shuffle_ps(ab_low, ce_low, 0xee));
    _mm256_storeu_ps(to + d * 8 + 16, _mm256_shuffle_ps(ab_high, ce_high, 0x44));
    _mm256_storeu_ps(to + d * 8 + 24, _mm256_shuffle_ps(ab_high, ce_high, 0xee));
  }
}

#include "body.h"

}  // namespace

void attend_avx2(const Sequence& s, size_t first, size_t last, float* context, float* scratch) {
  attend(s, first, last, context, scratch);
}

}  // namespace fewbits::encoder
