#include <immintrin.h>

#include <algorithm>

#include "../../query.h"
#include "block.h"

namespace fewbits::trellis {
namespace {

#include "../../lanes/avx512.h"

template <size_t uses>
void unpack_chunk(const UnpackMap& map, const UnpackChunk& chunk, const uint8_t* rows, size_t n,
                  size_t stride, uint8_t* u, size_t width) {
  const __m512i pick = _mm512_load_si512(chunk.pick), shift = _mm512_load_si512(chunk.shift);
  const __mmask64 inside = chunk.inside, loaded = chunk.loaded;
  __m512i table[uses + 1];
  __mmask64 where[uses + 1];
  for (size_t t = 0; t < uses; ++t) {
    table[t] = _mm512_load_si512(map.tables[chunk.table[t]].data());
    where[t] = chunk.where[t];
  }
  for (size_t i = 0; i < n; ++i) {
    const __m512i bytes = _mm512_maskz_loadu_epi8(loaded, rows + i * stride + chunk.from);
    const __m512i words = _mm512_maskz_permutexvar_epi8(inside, pick, bytes);
    __m512i values = _mm512_multishift_epi64_epi8(shift, words);
    for (size_t t = 0; t < uses; ++t) {
      values = _mm512_mask_permutexvar_epi8(values, where[t], values, table[t]);
    }
    _mm512_store_si512(u + i * width, values);
  }
}

// The compiler would spill some of 24 sums that intrinsics update in place.
inline void multiply_add(__m512i& sum, __m512i u, __m512i plane) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u), "v"(plane));
}

inline __m512i four(const uint8_t* at) {
  int32_t bytes;
  __builtin_memcpy(&bytes, at, sizeof bytes);
  return _mm512_set1_epi32(bytes);
}

// Which of R rows and one strip pass. Written without a branch: guesses would often be wrong.
template <int R>
inline void mark(const Tile& tile, const Block& block, size_t strip, size_t r,
                 const __m512i (&sum)[R], uint64_t* out) {
  const __m512 reach = _mm512_load_ps(tile.reach + strip * strip_lanes);
  const __m512 bias = _mm512_load_ps(tile.bias + strip * strip_lanes);
  const __m512 limit = _mm512_load_ps(tile.limit + strip * strip_lanes);
#pragma GCC unroll 12
  for (int i = 0; i < R; ++i) {
    const size_t row = r + static_cast<size_t>(i);
    __m512 bound = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[i]), _mm512_set1_ps(block.s[row]));
    bound = _mm512_fmadd_ps(reach, _mm512_set1_ps(block.spread[row]), bound);
    bound = _mm512_fmadd_ps(bias, _mm512_set1_ps(block.b[row]), bound);
    if (tile.gamma != nullptr) {
      const float* gamma = tile.gamma + block.list[row] * tile.pitch + strip * strip_lanes;
      bound = _mm512_fmadd_ps(_mm512_loadu_ps(gamma), _mm512_set1_ps(block.x[row]), bound);
    }
    const __mmask16 hits = _mm512_cmp_ps_mask(bound, limit, _CMP_GE_OQ);
    __builtin_memcpy(reinterpret_cast<char*>(out + row) + 2 * strip, &hits, sizeof hits);
  }
}

// Z strips times R rows: Z * R sums, at most 24, in registers.
template <int Z, int R>
void sift_rows(const Tile& tile, const Block& block, uint64_t* out) {
  const size_t strip_bytes = tile.dwords * 64;
  for (size_t r = 0; r < block.rows; r += R) {
    const uint8_t* u = block.u + r * block.width;
    const int8_t* plane = tile.plane;
    __m512i sum[Z][R];
#pragma GCC unroll 4
    for (size_t z = 0; z < Z; ++z) {
#pragma GCC unroll 12
      for (int i = 0; i < R; ++i) sum[z][i] = _mm512_load_si512(tile.start + z * strip_lanes);
    }
    for (size_t c = 0; c < tile.dwords; ++c, u += 4, plane += 64) {
      __m512i q[Z];
#pragma GCC unroll 4
      for (size_t z = 0; z < Z; ++z) q[z] = _mm512_load_si512(plane + z * strip_bytes);
#pragma GCC unroll 12
      for (size_t i = 0; i < R; ++i) {
        const __m512i values = four(u + i * block.width);
#pragma GCC unroll 4
        for (size_t z = 0; z < Z; ++z) multiply_add(sum[z][i], values, q[z]);
      }
    }
#pragma GCC unroll 4
    for (size_t z = 0; z < Z; ++z) mark<R>(tile, block, z, r, sum[z], out);
  }
}

void unpack(const UnpackMap& map, const uint8_t* rows, size_t n, size_t stride, uint8_t* u,
            size_t width) {
  using Chunk = decltype(unpack_chunk<0>);
  static constexpr Chunk* by_uses[] = {unpack_chunk<0>, unpack_chunk<1>, unpack_chunk<2>,
                                       unpack_chunk<3>, unpack_chunk<4>, unpack_chunk<5>,
                                       unpack_chunk<6>};
  for (size_t c = 0; c < map.chunks.size(); ++c) {
    const UnpackChunk& chunk = map.chunks[c];
    by_uses[chunk.uses](map, chunk, rows, n, stride, u + c * 64, width);
  }
}

void squares(const UnpackMap& map, const uint8_t* u, size_t n, size_t width, int32_t* out) {
  const __m512i most = _mm512_set1_epi8(127);
  for (size_t i = 0; i < n; i += group) {
    const size_t left = std::min(group, n - i);
    __m512i sum[group];
    for (size_t r = 0; r < group; ++r) {
      sum[r] = _mm512_setzero_si512();
      const uint8_t* row = u + (i + std::min(r, left - 1)) * width;
      for (size_t j = 0; j < width; j += 64) {
        const __m512i gap = _mm512_sub_epi8(_mm512_load_si512(row + j),
                                            _mm512_loadu_si512(map.centre.data() + j));
        const __m512i size = _mm512_min_epu8(_mm512_abs_epi8(gap), most);
        sum[r] = _mm512_dpbusd_epi32(sum[r], size, size);
      }
    }
    const __mmask16 lanes = static_cast<__mmask16>((1u << left) - 1);
    _mm512_mask_storeu_epi32(out + i, lanes, sum_rows(sum));
  }
}

void sift(const Tile& tile, const Block& block, uint64_t* out) {
  switch (tile.strips) {
    case 1: return sift_rows<1, 12>(tile, block, out);
    case 2: return sift_rows<2, 12>(tile, block, out);
    case 3: return sift_rows<3, 8>(tile, block, out);
    default: return sift_rows<4, 6>(tile, block, out);
  }
}

// Eight pairs are 16 sums, which one tree adds up.
void pair_dot(const Block& block, const uint32_t* pair, size_t count, const Planes* planes,
              int32_t* out) {
  for (size_t i = 0; i < count; i += group / 2) {
    __m512i sum[group];
    for (size_t c = 0; c < group / 2; ++c) {
      const uint32_t at = pair[std::min(i + c, count - 1)];
      const uint8_t* u = block.u + at / tile_lanes * block.width;
      const Planes& to = planes[at % tile_lanes];
      __m512i first = _mm512_setzero_si512(), second = first;
      for (size_t j = 0; j < block.width; j += 64) {
        const __m512i values = _mm512_load_si512(u + j);
        first = _mm512_dpbusd_epi32(first, values, _mm512_loadu_si512(to.plane[0] + j));
        second = _mm512_dpbusd_epi32(second, values, _mm512_loadu_si512(to.plane[1] + j));
      }
      sum[2 * c] = first;
      sum[2 * c + 1] = second;
    }
    const size_t left = std::min(group, 2 * (count - i));
    const __mmask16 lanes = static_cast<__mmask16>((1u << left) - 1);
    _mm512_mask_storeu_epi32(out + 2 * i, lanes, sum_rows(sum));
  }
}

}  // namespace

const BlockSteps block_avx512 = {unpack, squares, sift, pair_dot};

}  // namespace fewbits::trellis
