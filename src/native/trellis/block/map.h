// map.h - where the stored values of a code row come from.
// Every group of 8 pseudo-columns takes them from one 64-bit word of the row: value k is what a
// table (or nothing) makes of the bits from shift + k * step on.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../tables.h"

namespace fewbits::trellis {

class Plan;

struct UnpackGroup {
  size_t word = 0;     // where it starts, plus 1: 0 is the byte before the row
  uint8_t shift = 0;
  uint8_t step = 0;    // bits
  uint8_t table = 0;   // into UnpackMap::tables; plain: the 8 bits themselves
};

// 8 groups at once, as byte permutations of 64 bytes of the row.
struct alignas(64) UnpackChunk {
  uint8_t pick[64];    // byte 8 g + i: place of byte i of group g's word
  uint8_t shift[64];   // byte 8 g + k: first bit of value k
  uint64_t inside;     // picks that lie within the row
  uint64_t loaded;     // bytes of the row from `from` on
  size_t from;
  size_t uses;         // tables in use
  uint8_t table[6];
  uint64_t where[6];   // values that the table makes
};

struct UnpackMap {
  explicit UnpackMap(const Plan& plan);

  static constexpr uint8_t plain = 6;
  size_t code_size = 0;
  size_t columns = 0;  // pseudo-columns
  std::vector<UnpackGroup> groups;
  std::vector<UnpackChunk> chunks;
  std::vector<uint8_t> centre;  // (width,): off2 / 2 rounded up; 0 behind the columns
  size_t odd = 0;               // pseudo-columns with an odd off2
  alignas(64) std::array<Lut, 6> tables;  // widths 1, 2, 3, 4, 6 and low nibbles

  size_t width() const { return chunks.size() * 64; }

 private:
  void add_groups(size_t columns, size_t byte, int width, uint8_t table);
  void add_chunk(size_t first);
};

}  // namespace fewbits::trellis
