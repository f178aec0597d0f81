#include "block.h"

#include <cstring>

namespace fewbits::trellis {
namespace {

constexpr size_t most_code = size_t{1} << 16;  // bytes of a row that are copied at once

uint64_t load_word(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// padded: the byte before the row, the row, 8 bytes more.
void unpack_row(const UnpackMap& map, const uint8_t* padded, uint8_t* u) {
  for (const UnpackGroup& group : map.groups) {
    uint64_t word = load_word(padded + group.word) >> group.shift;
    if (group.table == UnpackMap::plain) {
      std::memcpy(u, padded + group.word, 8);
    } else {
      const Lut& table = map.tables[group.table];
      for (size_t k = 0; k < 8; ++k, word >>= group.step) u[k] = table[word & 63];
    }
    u += 8;
  }
}

void sift(const Tile& tile, const Block& block, uint64_t* out) {
  for (size_t r = 0; r < block.rows; ++r) {
    const uint8_t* u = block.u + r * block.width;
    out[r] = 0;
    for (size_t lane = 0; lane < tile.strips * strip_lanes; ++lane) {
      const size_t strip = lane / strip_lanes;
      const int8_t* plane = tile.plane + strip * tile.dwords * 64 + lane % strip_lanes * 4;
      uint32_t sum = static_cast<uint32_t>(tile.start[lane]);
      for (size_t j = 0; j < 4 * tile.dwords; ++j) {
        sum += static_cast<uint32_t>(int{u[j]} * int{plane[j / 4 * 64 + j % 4]});
      }
      float bound = static_cast<float>(static_cast<int32_t>(sum)) * block.s[r];
      bound += tile.reach[lane] * block.spread[r];
      bound += tile.bias[lane] * block.b[r];
      if (tile.gamma != nullptr) {
        bound += tile.gamma[block.list[r] * tile.pitch + lane] * block.x[r];
      }
      out[r] |= uint64_t{bound >= tile.limit[lane]} << lane;
    }
  }
}

void pair_dot(const Block& block, const uint32_t* pair, size_t count, const Planes* planes,
              int32_t* out) {
  for (size_t i = 0; i < 2 * count; ++i) {
    const uint8_t* u = block.u + pair[i / 2] / tile_lanes * block.width;
    const int8_t* plane = planes[pair[i / 2] % tile_lanes].plane[i % 2];
    int32_t sum = 0;
    for (size_t j = 0; j < block.width; ++j) sum += int32_t{u[j]} * plane[j];
    out[i] = sum;
  }
}

}  // namespace

void unpack_scalar(const UnpackMap& map, const uint8_t* rows, size_t n, size_t stride, uint8_t* u,
                   size_t width) {
  uint8_t padded[1 + most_code + 8];
  padded[0] = 0;
  std::memset(padded + 1 + map.code_size, 0, 8);
  for (size_t i = 0; i < n; ++i) {
    std::memcpy(padded + 1, rows + i * stride, map.code_size);
    unpack_row(map, padded, u + i * width);
  }
}

void squares_scalar(const UnpackMap& map, const uint8_t* u, size_t n, size_t width, int32_t* out) {
  for (size_t i = 0; i < n; ++i, u += width) {
    int32_t sum = 0;
    for (size_t j = 0; j < width; ++j) {
      const int32_t gap = distance(u[j], map.centre[j]);
      sum += gap * gap;
    }
    out[i] = sum;
  }
}

const BlockSteps block_scalar = {unpack_scalar, squares_scalar, sift, pair_dot};

}  // namespace fewbits::trellis
