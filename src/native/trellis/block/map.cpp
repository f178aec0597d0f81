#include "map.h"

#include <algorithm>

#include "../plan.h"

namespace fewbits::trellis {
namespace {

constexpr uint8_t nibbles = 5;
constexpr std::array<Lut, 6> all_tables = {stored_lut(1), stored_lut(2), stored_lut(3),
                                           stored_lut(4), stored_lut(6), stored_lut(12)};

}  // namespace

UnpackMap::UnpackMap(const Plan& plan) : code_size(plan.code_size), columns(plan.pseudo) {
  tables = all_tables;
  for (const Run& run : plan.runs) {
    const uint8_t table = run.width <= 4 ? static_cast<uint8_t>(run.width - 1)
                          : run.width == 6 ? uint8_t{4} : plain;
    add_groups(run.columns, run.byte, std::min(run.width, 8), table);
  }
  for (const Run& run : plan.runs) {
    if (run.width == 12) add_groups(run.columns, run.low_byte, 4, nibbles);
  }
  for (size_t first = 0; first < groups.size(); first += 8) add_chunk(first);
  centre.assign(width(), 0);
  for (size_t j = 0; j < columns; ++j) {
    centre[j] = static_cast<uint8_t>((plan.off2[j] + 1) / 2);
    odd += static_cast<size_t>(plan.off2[j] % 2);
  }
}

void UnpackMap::add_groups(size_t count, size_t byte, int width, uint8_t table) {
  for (size_t g = 0; g < count / group_columns; ++g, byte += static_cast<size_t>(width)) {
    UnpackGroup group;
    group.step = static_cast<uint8_t>(width);
    group.table = table;
    // Windows are six bits that end with the column's own ones: they begin in the byte before.
    const bool windows = table < 4 || table == nibbles;
    group.word = windows ? byte : byte + 1;
    group.shift = windows ? static_cast<uint8_t>(8 + width - 6) : uint8_t{0};
    groups.push_back(group);
  }
}

void UnpackMap::add_chunk(size_t first) {
  UnpackChunk chunk{};
  const size_t last = std::min(first + 8, groups.size());
  chunk.from = std::max<size_t>(groups[first].word, 1) - 1;
  const size_t left = code_size - chunk.from;
  chunk.loaded = left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
  for (size_t g = first; g < last; ++g) {
    const UnpackGroup& group = groups[g];
    for (size_t i = 0; i < 8; ++i) {
      const size_t byte = 8 * (g - first) + i;
      const size_t place = group.word + i - 1 - chunk.from;  // wraps before the row
      if (place < 64) chunk.inside |= uint64_t{1} << byte;
      chunk.pick[byte] = static_cast<uint8_t>(place % 64);
      chunk.shift[byte] = static_cast<uint8_t>(group.shift + i * group.step);
    }
    if (group.table == plain) continue;
    const uint8_t* end = chunk.table + chunk.uses;
    const size_t use = static_cast<size_t>(std::find(chunk.table, chunk.table + chunk.uses,
                                                     group.table) - chunk.table);
    if (chunk.table + use == end) chunk.table[chunk.uses++] = group.table;
    chunk.where[use] |= uint64_t{255} << (8 * (g - first));
  }
  chunks.push_back(chunk);
}

}  // namespace fewbits::trellis
