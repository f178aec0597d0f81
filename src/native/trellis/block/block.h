// block.h - trellis codes for many queries at once: rows are unpacked once, then meet every query.
//
// A block holds the stored values U of up to block_rows rows, row after row, `width` bytes each.
// Queries stand side by side in the lanes of a tile: 16 to a strip, at most 4 strips to a tile.
// A lane's four bytes of plane 1 meet four bytes of a row, so nothing is added across lanes.
//
// sift finds the (row, query) pairs whose score may reach the query's threshold. With
//   sum = start[q] + <U of row, plane 1 of q>
// a pair passes if
//   float(sum) * s[row] + reach[q] * spread[row] + bias[q] * b[row] + gamma[list[row]][q] * x[row]
//     >= limit[q]                                                    (gamma only where given)
// start carries the offsets; reach[q] * spread[row] bounds what plane 2 can add, as the product of
// two lengths. These floats only bound: their order is free, what passes is scored exactly.
#pragma once
#include <cstddef>
#include <cstdint>

#include "map.h"

namespace fewbits::trellis {

inline constexpr size_t block_rows = 96;    // a multiple of 6, 8 and 12
inline constexpr size_t strip_lanes = 16;
inline constexpr size_t most_strips = 4;
inline constexpr size_t tile_lanes = strip_lanes * most_strips;

struct Tile {
  size_t strips = 0;               // 1 .. 4
  size_t dwords = 0;               // pseudo-columns / 4
  const int8_t* plane = nullptr;   // [strip][dword][lane][4], 64-byte aligned
  const int32_t* start = nullptr;  // one per lane, as all that follows; 64-byte aligned
  const int32_t* total = nullptr;  // sum of the plane's bytes
  const float* reach = nullptr;
  const float* bias = nullptr;
  const float* limit = nullptr;    // +inf in lanes without a query
  const float* gamma = nullptr;    // [list][lane], `pitch` floats from list to list; or null
  size_t pitch = 0;
};

struct Block {
  size_t rows = 0;
  size_t width = 0;            // bytes from row to row, a multiple of 64; 0 behind the columns
  uint8_t* u = nullptr;        // block_rows x width, 64-byte aligned
  const float* s = nullptr;    // block_rows each; finite; 0 behind the last row
  const float* spread = nullptr;
  const float* b = nullptr;
  const float* x = nullptr;
  const uint32_t* list = nullptr;  // block_rows, 0 behind the last row; read where gamma is given
};

// rows: n <= block_rows code rows, `stride` bytes apart; u: n x width bytes.
using UnpackFn = void(const UnpackMap& map, const uint8_t* rows, size_t n, size_t stride,
                      uint8_t* u, size_t width);

// out[row] = sum of squares of distance(U, centre) of the row.
using SquaresFn = void(const UnpackMap& map, const uint8_t* u, size_t n, size_t width,
                       int32_t* out);

// |U - centre|, at most 127: 2 U - off2 is within twice that, and 1 where off2 is odd.
static inline int32_t distance(uint8_t u, uint8_t centre) {
  const int32_t gap = u < centre ? centre - u : u - centre;
  return gap < 127 ? gap : 127;
}

// out[row]: bit `lane` is set where the pair passes. Bits above the tile's strips, and rows behind
// the last one (to a multiple of 12), may hold anything.
using SiftFn = void(const Tile& tile, const Block& block, uint64_t* out);

// out[2 i + p] = <U of row pair[i] / 64, planes[pair[i] % 64].plane[p]>.
struct Planes {
  const int8_t* plane[2] = {nullptr, nullptr};  // `width` bytes each, zero padded
};
using PairDotFn = void(const Block& block, const uint32_t* pair, size_t count, const Planes* planes,
                       int32_t* out);

struct BlockSteps {
  UnpackFn* unpack;
  SquaresFn* squares;
  SiftFn* sift;
  PairDotFn* pair_dot;
};

// AVX2 and NEON gain nothing here: one text for them.
UnpackFn unpack_scalar;
SquaresFn squares_scalar;
extern const BlockSteps block_scalar, block_avx2, block_avx512, block_neon;

}  // namespace fewbits::trellis
