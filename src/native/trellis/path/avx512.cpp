#include "path.h"

#include <immintrin.h>

#include <utility>

namespace fewbits::trellis {
namespace {

#include "../each.h"
#include "trace.h"

constexpr size_t together = 4;  // rows in flight: each waits for its own last column

// Byte indices that spread 16-bit costs over windows: window w takes entry w >> R.
struct Spread {
  alignas(64) uint8_t byte[most_trellis_width][2 * windows];
};
constexpr Spread make_spread() {
  Spread out{};
  for (int r = 1; r <= most_trellis_width; ++r) {
    for (int w = 0; w < windows; ++w) {
      out.byte[r - 1][2 * w] = static_cast<uint8_t>(2 * (w >> r));
      out.byte[r - 1][2 * w + 1] = static_cast<uint8_t>(2 * (w >> r) + 1);
    }
  }
  return out;
}
constexpr Spread spread = make_spread();

constexpr std::make_index_sequence<together> every_row;

template <int R>
struct Column {
  __m512i level[2], index[2];

  Column() {
    for (int half = 0; half < 2; ++half) {
      level[half] = _mm512_load_si512(scaled.level[R - 1] + 32 * half);
      index[half] = _mm512_load_si512(spread.byte[R - 1] + 64 * half);
    }
  }

  // The costs that windows start from, in the lowest 2^(6-R) places.
  static __m512i fold(__m512i costs, uint32_t* choices) {
    if constexpr (R == 1) return costs;
    __m256i low = _mm512_castsi512_si256(costs), high = _mm512_extracti64x4_epi64(costs, 1);
    choices[path_rows] = _mm256_cmplt_epu16_mask(high, low);
    low = _mm256_min_epu16(low, high);
    if constexpr (R == 2) return _mm512_castsi256_si512(low);
    __m128i least = _mm256_castsi256_si128(low), other = _mm256_extracti128_si256(low, 1);
    choices[2 * path_rows] = _mm_cmplt_epu16_mask(other, least);
    least = _mm_min_epu16(least, other);
    if constexpr (R == 3) return _mm512_castsi128_si512(least);
    other = _mm_unpackhi_epi64(least, least);
    choices[3 * path_rows] = _mm_cmplt_epu16_mask(other, least);
    return _mm512_castsi128_si512(_mm_min_epu16(least, other));
  }

  __m512i windows_of(int half, __m512i folded, __m512i y) const {
    __m512i e = _mm512_subs_epi16(y, level[half]);
    for (int i = 0; i < doublings[R - 1]; ++i) e = _mm512_adds_epi16(e, e);
    const __m512i before = _mm512_permutexvar_epi8(index[half], folded);
    return _mm512_adds_epu16(before, _mm512_mulhi_epi16(e, e));
  }

  __m512i next(__m512i costs, const int32_t* target, uint32_t* choices) const {
    const __m512i y = _mm512_set1_epi32(*target);
    const __m512i folded = fold(costs, choices);
    const __m512i low = windows_of(0, folded, y), high = windows_of(1, folded, y);
    choices[0] = _mm512_cmplt_epu16_mask(high, low);
    return _mm512_min_epu16(low, high);
  }
};

inline __m512i without_least(__m512i costs) {
  const __m256i half =
      _mm256_min_epu16(_mm512_castsi512_si256(costs), _mm512_extracti64x4_epi64(costs, 1));
  const __m128i part =
      _mm_min_epu16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  return _mm512_sub_epi16(costs, _mm512_broadcastw_epi16(_mm_minpos_epu16(part)));
}

template <int R>
void add_run(const Run& run, const int32_t* y, size_t y_stride, uint32_t* choices,
             uint16_t (*costs)[states]) {
  const Column<R> column;
  __m512i at[together];
  each(every_row, [&](size_t i) { at[i] = _mm512_load_si512(costs[i]); });
  y += run.column;
  choices += 8 * run.byte * path_rows;
  for (size_t group = 0; group < run.columns / group_columns; ++group) {
    for (size_t c = 0; c < group_columns; ++c, ++y, choices += R * path_rows) {
      each(every_row, [&](size_t i) {
        at[i] = column.next(at[i], y + i * y_stride, choices + i);
      });
    }
    each(every_row, [&](size_t i) { at[i] = without_least(at[i]); });
  }
  each(every_row, [&](size_t i) { _mm512_store_si512(costs[i], at[i]); });
}

#include "walk.h"

}  // namespace

void path_avx512(const Plan& plan, const int32_t* y, size_t y_stride, size_t n,
                 const PathScratch& scratch, uint8_t* codes, size_t stride) {
  walk(plan, y, y_stride, n, scratch);
  trace(plan, scratch, n, codes, stride);
}

}  // namespace fewbits::trellis
