#include "path.h"

#include <immintrin.h>

namespace fewbits::trellis {
namespace {

#include "trace.h"

constexpr size_t together = 2;  // rows in flight: each waits for its own last column

// The eighth of the costs that holds what the windows of a block start from.
constexpr int piece_of(int width, int block) { return (16 * block >> width) / 8; }

// Byte indices into that piece, the same 128 bits in both halves: window w takes entry w >> R.
struct Spread {
  alignas(32) uint8_t byte[most_trellis_width][2 * windows];
};
constexpr Spread make_spread() {
  Spread out{};
  for (int r = 1; r <= most_trellis_width; ++r) {
    for (int w = 0; w < windows; ++w) {
      const int entry = (w >> r) - 8 * piece_of(r, w / 16);
      out.byte[r - 1][2 * w] = static_cast<uint8_t>(2 * entry);
      out.byte[r - 1][2 * w + 1] = static_cast<uint8_t>(2 * entry + 1);
    }
  }
  return out;
}
constexpr Spread spread = make_spread();

struct Costs {
  __m256i low, high;  // states 0 .. 15, 16 .. 31
};

inline __m256i load(const void* at) {
  return _mm256_load_si256(static_cast<const __m256i*>(at));
}

// Bit i: lane i of `kept` is not what was kept, so the other one won.
inline uint32_t lost16(__m256i kept, __m256i first) {
  const __m256i same = _mm256_cmpeq_epi16(kept, first);
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(same), _mm256_extracti128_si256(same, 1));
  return ~static_cast<uint32_t>(_mm_movemask_epi8(bytes));
}

inline uint32_t lost8(__m128i kept, __m128i first) {
  const __m128i same = _mm_cmpeq_epi16(kept, first);
  return ~static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(same, same)));
}

inline uint32_t lost32(const Costs& kept, __m256i low, __m256i high) {
  const __m256i bytes = _mm256_packs_epi16(_mm256_cmpeq_epi16(kept.low, low),
                                           _mm256_cmpeq_epi16(kept.high, high));
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(bytes, 0xd8)));
}

// The costs that windows start from, in the lowest 2^(6-R) places.
template <int R>
inline Costs fold(Costs costs, uint32_t* choices) {
  if constexpr (R == 1) return costs;
  const __m256i half = _mm256_min_epu16(costs.low, costs.high);
  choices[path_rows] = lost16(half, costs.low);
  if constexpr (R == 2) return {half, half};
  const __m128i first = _mm256_castsi256_si128(half);
  __m128i least = _mm_min_epu16(first, _mm256_extracti128_si256(half, 1));
  choices[2 * path_rows] = lost8(least, first);
  if constexpr (R == 4) {
    const __m128i kept = _mm_min_epu16(least, _mm_unpackhi_epi64(least, least));
    choices[3 * path_rows] = lost8(kept, least);
    least = kept;
  }
  const __m256i all = _mm256_castsi128_si256(least);
  return {all, all};
}

template <int R, int block>
inline __m256i windows_of(const Costs& folded, __m256i y) {
  constexpr int piece = piece_of(R, block);
  __m256i e = _mm256_subs_epi16(y, load(scaled.level[R - 1] + 16 * block));
  for (int i = 0; i < doublings[R - 1]; ++i) e = _mm256_adds_epi16(e, e);
  const __m256i half = piece >= 2 ? folded.high : folded.low;
  const __m256i twice = _mm256_permute4x64_epi64(half, piece % 2 == 0 ? 0x44 : 0xee);
  const __m256i before = _mm256_shuffle_epi8(twice, load(spread.byte[R - 1] + 32 * block));
  return _mm256_adds_epu16(before, _mm256_mulhi_epi16(e, e));
}

template <int R>
inline Costs next(const Costs& costs, int32_t target, uint32_t* choices) {
  const __m256i y = _mm256_set1_epi32(target);
  const Costs folded = fold<R>(costs, choices);
  const __m256i low = windows_of<R, 0>(folded, y), high = windows_of<R, 1>(folded, y);
  const Costs kept = {_mm256_min_epu16(low, windows_of<R, 2>(folded, y)),
                      _mm256_min_epu16(high, windows_of<R, 3>(folded, y))};
  choices[0] = lost32(kept, low, high);
  return kept;
}

inline Costs without_least(const Costs& costs) {
  const __m256i half = _mm256_min_epu16(costs.low, costs.high);
  const __m128i least = _mm_minpos_epu16(
      _mm_min_epu16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
  const __m256i all = _mm256_broadcastw_epi16(least);
  return {_mm256_sub_epi16(costs.low, all), _mm256_sub_epi16(costs.high, all)};
}

template <int R>
void add_run(const Run& run, const int32_t* y, size_t y_stride, uint32_t* choices,
             uint16_t (*costs)[states]) {
  Costs one = {load(costs[0]), load(costs[0] + 16)}, two = {load(costs[1]), load(costs[1] + 16)};
  y += run.column;
  choices += 8 * run.byte * path_rows;
  for (size_t group = 0; group < run.columns / group_columns; ++group) {
    for (size_t c = 0; c < group_columns; ++c, ++y, choices += R * path_rows) {
      one = next<R>(one, y[0], choices);
      two = next<R>(two, y[y_stride], choices + 1);
    }
    one = without_least(one);
    two = without_least(two);
  }
  __m256i* to = reinterpret_cast<__m256i*>(costs);
  _mm256_store_si256(to, one.low);
  _mm256_store_si256(to + 1, one.high);
  _mm256_store_si256(to + 2, two.low);
  _mm256_store_si256(to + 3, two.high);
}

#include "walk.h"

}  // namespace

void path_avx2(const Plan& plan, const int32_t* y, size_t y_stride, size_t n,
               const PathScratch& scratch, uint8_t* codes, size_t stride) {
  walk(plan, y, y_stride, n, scratch);
  trace(plan, scratch, n, codes, stride);
}

}  // namespace fewbits::trellis
