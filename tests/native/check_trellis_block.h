// check_trellis_block.h - unpacking and sifting of trellis blocks against the scalar steps.
#pragma once
#include <utility>

#include "check_dot.h"
#include "trellis/plan.h"

namespace check {

// A plan of that many groups of each width, of no use but for its layout.
inline trellis::Plan layout_plan(const std::vector<std::pair<int, size_t>>& groups) {
  std::vector<uint8_t> widths;
  for (const auto& [width, count] : groups) {
    widths.insert(widths.end(), count, static_cast<uint8_t>(width));
  }
  trellis::Settings settings;
  settings.d = 8;
  settings.m = 8 * widths.size();
  const std::vector<int16_t> basis(settings.m * settings.d, 1);
  const std::vector<float> sigma(settings.m, 1.0f), mean(settings.d, 0.0f), mh(settings.m, 0.0f);
  return trellis::Plan(settings, basis.data(), sigma.data(), widths.data(), mean.data(), mh.data());
}

inline const std::vector<std::vector<std::pair<int, size_t>>> block_layouts = {
    {{1, 1}}, {{2, 3}}, {{3, 2}}, {{4, 9}}, {{6, 2}}, {{8, 5}}, {{12, 1}}, {{12, 9}},
    {{1, 5}, {2, 1}}, {{1, 13}, {2, 3}, {3, 1}, {4, 1}}, {{2, 1}, {6, 1}, {8, 1}, {12, 1}},
    {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {6, 1}, {8, 1}, {12, 1}}, {{3, 17}, {4, 11}, {12, 5}},
    {{1, 96}}, {{4, 4}, {6, 20}, {8, 24}, {12, 7}}};

// 64-byte aligned memory of one tile and one block, filled at random.
struct BlockCase {
  std::vector<uint8_t> storage;
  trellis::Tile tile;
  trellis::Block block;
  std::vector<trellis::Planes> planes;
  size_t used = 0;

  template <typename T>
  T* take(size_t count) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(storage.data()) + used;
    used += (64 - at % 64) % 64;
    T* out = reinterpret_cast<T*>(storage.data() + used);
    used += count * sizeof(T);
    if (used > storage.size()) std::abort();
    return out;
  }

  BlockCase(size_t columns, size_t width, size_t rows, size_t strips, bool lists, Random& random)
      : storage(width * 2 * 96 + columns * 64 + 16384) {
    using trellis::block_rows;
    const size_t lanes = strips * trellis::strip_lanes;
    const auto floats = [&](size_t count, float scale) {
      float* out = take<float>(count);
      for (size_t i = 0; i < count; ++i) out[i] = random.signed_unit() * scale;
      return out;
    };
    uint8_t* u = take<uint8_t>(block_rows * width);
    for (size_t i = 0; i < block_rows * width; ++i) u[i] = static_cast<uint8_t>(random.bits());
    int8_t* plane = take<int8_t>(lanes * columns);
    for (size_t i = 0; i < lanes * columns; ++i) {
      plane[i] = static_cast<int8_t>(random.below(255) - 127);
    }
    int32_t* start = take<int32_t>(lanes);
    int32_t* total = take<int32_t>(lanes);
    for (size_t lane = 0; lane < lanes; ++lane) {
      start[lane] = random.below(20000) - 10000;
      const int8_t* at = plane + lane / 16 * columns * 16 + lane % 16 * 4;
      for (size_t j = 0; j < columns; ++j) total[lane] += at[j / 4 * 64 + j % 4];
      // Any bytes will do, as long as there are `width` of them.
      planes.push_back({{plane, plane + lane % 2 * 4}});
    }
    uint32_t* list = take<uint32_t>(block_rows);
    for (size_t i = 0; i < rows; ++i) list[i] = static_cast<uint32_t>(random.below(3));
    block = {rows, width, u, floats(block_rows, 2), floats(block_rows, 900),
             floats(block_rows, 2), floats(block_rows, 2), list};
    tile = {strips, columns / 4, plane, start, total, floats(lanes, 3e2f), floats(lanes, 3e4f),
            floats(lanes, 3e5f),
            lists ? floats(3 * lanes, 1e5f) : nullptr, lanes};
  }
};

inline int32_t sum_of(const BlockCase& c, size_t row, size_t lane) {
  const uint8_t* u = c.block.u + row * c.block.width;
  const int8_t* plane = c.tile.plane + lane / 16 * c.tile.dwords * 64 + lane % 16 * 4;
  int32_t sum = c.tile.start[lane];
  for (size_t j = 0; j < 4 * c.tile.dwords; ++j) sum += int{u[j]} * plane[j / 4 * 64 + j % 4];
  return sum;
}

// Whether float rounding decides that the pair passes.
inline bool close(const BlockCase& c, size_t row, size_t lane) {
  const double value = double{c.block.s[row]} * sum_of(c, row, lane);
  const double along = double{c.tile.bias[lane]} * double{c.block.b[row]};
  const double more = double{c.tile.reach[lane]} * double{c.block.spread[row]};
  double gamma = 0;
  if (c.tile.gamma != nullptr) {
    gamma = double{c.tile.gamma[c.block.list[row] * c.tile.pitch + lane]} * double{c.block.x[row]};
  }
  const double size = std::fabs(value) + std::fabs(along) + std::fabs(gamma) +
                      std::fabs(more) + 1;
  return std::fabs(value + along + more + gamma - double{c.tile.limit[lane]}) < 1e-6 * size;
}

inline void check_sift(const Kernels& scalar, const Kernels& level, const BlockCase& c,
                       const std::string& what, Tally& tally) {
  const size_t lanes = c.tile.strips * trellis::strip_lanes;
  std::vector<uint64_t> wanted(trellis::block_rows), got(trellis::block_rows);
  scalar.trellis_block->sift(c.tile, c.block, wanted.data());
  level.trellis_block->sift(c.tile, c.block, got.data());
  std::vector<uint32_t> pair;
  for (size_t row = 0; row < c.block.rows; ++row) {
    for (size_t lane = 0; lane < lanes; ++lane) {
      const uint64_t bit = uint64_t{1} << lane;
      if (close(c, row, lane)) got[row] = (got[row] & ~bit) | (wanted[row] & bit);
      if ((row + lane) % 7 == 0) {
        pair.push_back(static_cast<uint32_t>(row * trellis::tile_lanes + lane));
      }
    }
    if (lanes < trellis::tile_lanes) got[row] &= (uint64_t{1} << lanes) - 1;
  }
  tally.same(got.data(), wanted.data(), c.block.rows * sizeof(uint64_t), what);
  std::vector<int32_t> a(2 * pair.size()), b(2 * pair.size());
  scalar.trellis_block->pair_dot(c.block, pair.data(), pair.size(), c.planes.data(), a.data());
  level.trellis_block->pair_dot(c.block, pair.data(), pair.size(), c.planes.data(), b.data());
  tally.same(b.data(), a.data(), a.size() * sizeof(int32_t), what + " pair_dot");
}

inline void check_unpack(const std::vector<Kernels>& levels, const trellis::UnpackMap& map,
                         Random& random, const std::string& what, Tally& tally) {
  const Guarded memory(97 * map.code_size);
  for (const size_t n : {size_t{1}, size_t{13}, trellis::block_rows}) {
    std::vector<int32_t> squares(n), found(n);
    uint8_t* rows = memory.ending(n * map.code_size);
    for (size_t i = 0; i < n * map.code_size; ++i) rows[i] = static_cast<uint8_t>(random.bits());
    std::vector<uint8_t> wanted(n * map.width() + 128, 0), got(wanted.size(), 0);
    const auto aligned = [](std::vector<uint8_t>& v) {
      return v.data() + (64 - reinterpret_cast<uintptr_t>(v.data()) % 64) % 64;
    };
    levels[0].trellis_block->unpack(map, rows, n, map.code_size, aligned(wanted), map.width());
    levels[0].trellis_block->squares(map, aligned(wanted), n, map.width(), squares.data());
    for (size_t level = 1; level < levels.size(); ++level) {
      levels[level].trellis_block->unpack(map, rows, n, map.code_size, aligned(got), map.width());
      tally.same(aligned(got), aligned(wanted), n * map.width(),
                 std::string(name(levels[level].level)) + " unpack " + what);
      levels[level].trellis_block->squares(map, aligned(wanted), n, map.width(), found.data());
      tally.same(found.data(), squares.data(), n * sizeof(int32_t),
                 std::string(name(levels[level].level)) + " squares " + what);
    }
  }
}

inline void check_trellis_blocks(const std::vector<Kernels>& levels, Tally& tally) {
  for (size_t i = 0; i < block_layouts.size(); ++i) {
    Random random(i + 11);
    const trellis::Plan plan = layout_plan(block_layouts[i]);
    const trellis::UnpackMap map(plan);
    check_unpack(levels, map, random, "layout " + std::to_string(i), tally);
    for (size_t strips = 1; strips <= trellis::most_strips; ++strips) {
      for (const size_t rows : {1, 12, 95, 96}) {
        const BlockCase c(map.columns, map.width(), rows, strips, rows % 5 == 0, random);
        for (size_t level = 1; level < levels.size(); ++level) {
          check_sift(levels[0], levels[level], c,
                     std::string(name(levels[level].level)) + " sift layout " + std::to_string(i) +
                         " strips=" + std::to_string(strips) + " rows=" + std::to_string(rows),
                     tally);
        }
      }
    }
  }
}

}  // namespace check
