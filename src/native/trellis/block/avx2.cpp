#include <immintrin.h>

#include <algorithm>

#include "block.h"

namespace fewbits::trellis {
namespace {

constexpr size_t step = 4;    // rows at once
constexpr size_t halves = 2;  // registers of a strip: lanes 0 .. 7, 8 .. 15

inline __m256i load(const void* at) { return _mm256_load_si256(static_cast<const __m256i*>(at)); }

// sum[i][h] = start + <row i, plane>. Even and odd bytes apart, in 16 bits: no product saturates.
inline void add_rows(const Tile& tile, const Block& block, size_t strip, size_t r,
                     __m256i (&sum)[step][halves]) {
  const int8_t* plane = tile.plane + strip * tile.dwords * 64;
  const uint8_t* u = block.u + r * block.width;
#pragma GCC unroll 4
  for (size_t i = 0; i < step; ++i) {
#pragma GCC unroll 2
    for (size_t h = 0; h < halves; ++h) sum[i][h] = load(tile.start + strip * strip_lanes + 8 * h);
  }
  for (size_t c = 0; c < tile.dwords; ++c, u += 4, plane += 64) {
    __m256i even[halves], odd[halves];
#pragma GCC unroll 2
    for (size_t h = 0; h < halves; ++h) {
      const __m256i bytes = load(plane + 32 * h);
      even[h] = _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
      odd[h] = _mm256_srai_epi16(bytes, 8);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < step; ++i) {
      int32_t four;
      __builtin_memcpy(&four, u + i * block.width, sizeof four);
      const __m256i values = _mm256_set1_epi32(four);
      const __m256i low = _mm256_and_si256(values, _mm256_set1_epi16(255));
      const __m256i high = _mm256_srli_epi16(values, 8);
#pragma GCC unroll 2
      for (size_t h = 0; h < halves; ++h) {
        const __m256i products = _mm256_add_epi32(_mm256_madd_epi16(low, even[h]),
                                                  _mm256_madd_epi16(high, odd[h]));
        sum[i][h] = _mm256_add_epi32(sum[i][h], products);
      }
    }
  }
}

// Mask of the lanes that pass; first: the strip's and half's first lane.
inline uint32_t passing(const Tile& tile, const Block& block, size_t first, size_t row,
                        __m256i sum) {
  const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(block.s[row]));
  __m256 bound = _mm256_fmadd_ps(_mm256_load_ps(tile.reach + first),
                                 _mm256_set1_ps(block.spread[row]), scaled);
  bound = _mm256_fmadd_ps(_mm256_load_ps(tile.bias + first), _mm256_set1_ps(block.b[row]), bound);
  if (tile.gamma != nullptr) {
    const __m256 gamma = _mm256_loadu_ps(tile.gamma + block.list[row] * tile.pitch + first);
    bound = _mm256_fmadd_ps(gamma, _mm256_set1_ps(block.x[row]), bound);
  }
  const __m256 above = _mm256_cmp_ps(bound, _mm256_load_ps(tile.limit + first), _CMP_GE_OQ);
  return static_cast<uint32_t>(_mm256_movemask_ps(above));
}

void sift(const Tile& tile, const Block& block, uint64_t* out) {
  std::fill(out, out + block_rows, 0);
  for (size_t strip = 0; strip < tile.strips; ++strip) {
    for (size_t r = 0; r < block.rows; r += step) {
      __m256i sum[step][halves];
      add_rows(tile, block, strip, r, sum);
#pragma GCC unroll 8
      for (size_t at = 0; at < step * halves; ++at) {
        const size_t row = r + at / halves, first = strip * strip_lanes + at % halves * 8;
        const uint64_t hits = passing(tile, block, first, row, sum[at / halves][at % halves]);
        out[row] |= hits << first;
      }
    }
  }
}

void pair_dot(const Block& block, const uint32_t* pair, size_t count, const Planes* planes,
              int32_t* out) {
  for (size_t i = 0; i < 2 * count; ++i) {
    const uint8_t* u = block.u + pair[i / 2] / tile_lanes * block.width;
    const int8_t* plane = planes[pair[i / 2] % tile_lanes].plane[i % 2];
    __m256i sum = _mm256_setzero_si256();
    for (size_t j = 0; j < block.width; j += 16) {
      const __m128i values = _mm_load_si128(reinterpret_cast<const __m128i*>(u + j));
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(plane + j));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(values),
                                                    _mm256_cvtepi8_epi16(bytes)));
    }
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    four = _mm_hadd_epi32(four, four);
    out[i] = _mm_cvtsi128_si32(_mm_hadd_epi32(four, four));
  }
}

}  // namespace

const BlockSteps block_avx2 = {unpack_scalar, squares_scalar, sift, pair_dot};

}  // namespace fewbits::trellis
