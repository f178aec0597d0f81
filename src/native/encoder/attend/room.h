// room.h - how the kernels divide their scratch: floats, every part from a multiple of 64 bytes on.
#pragma once
#include <cstddef>

namespace fewbits::encoder {
namespace {

constexpr size_t room_step = 16;    // floats: the widest register
constexpr size_t room_rows = 8;     // query rows of a tile, at most
constexpr size_t room_tiles = 8;    // tiles that one pass over the keys serves, at most
constexpr size_t room_keys = 512;   // keys whose scores are held at a time
// Between the scores of two queries; not a power of two, whose multiples share cache sets.
constexpr size_t room_scores = room_keys + room_step;

constexpr size_t room_padded(size_t count) {
  return (count + room_step - 1) / room_step * room_step;
}

// The parts: keys (head_size, length), values (length, head_size), both padded; then per query row
// of a pass: query, unfinished context (padded head_size each), scores of one tile.
constexpr size_t room_floats(size_t length, size_t head_size) {
  const size_t size = room_padded(head_size), tokens = room_padded(length);
  const size_t simd = 2 * tokens * size + 2 * room_tiles * room_rows * size +
                      room_rows * room_scores;
  return simd > tokens ? simd : tokens;  // the scalar kernel holds the scores of one query
}

}  // namespace
}  // namespace fewbits::encoder
