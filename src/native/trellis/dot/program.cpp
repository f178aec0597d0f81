#include "program.h"

#include <algorithm>

#include "../plan.h"

namespace fewbits::trellis {
namespace {

constexpr uint32_t none = UINT32_MAX;

// What a pick's byte fetches and multiplies, see Lanes: the window starts at `bit` of the word.
void set_lane(Lanes& lanes, size_t c, uint32_t bit) {
  lanes.byte[2 * c] = static_cast<uint8_t>(bit / 8);
  lanes.byte[2 * c + 1] = static_cast<uint8_t>((bit / 8 + 1) % 8);
  lanes.scale[c] = static_cast<uint16_t>(1u << (10 - bit % 8));
}

}  // namespace

Program::Program(const std::vector<Run>& runs, size_t m, size_t code_size) {
  view_.stride = code_size;
  end_ = static_cast<ptrdiff_t>(std::max(code_size, shortest_row));
  pieces_.push_back({});
  for (const Run& run : runs) {
    const uint32_t column = static_cast<uint32_t>(run.column);
    const uint32_t columns = static_cast<uint32_t>(run.columns);
    const uint32_t bit = static_cast<uint32_t>(8 * run.byte);
    const uint32_t width = static_cast<uint32_t>(run.width);
    if (width >= 8) {
      fields_.push_back({column, columns, bit, 0, 8, no_table});
      for (size_t g = 0; g < columns / 8; ++g) add_bytes(column + 8 * g, run.byte + 8 * g);
    }
    if (width == 8) continue;
    // A nibble is the upper part of its window.
    const uint32_t before = width == 6 ? 0 : width == 12 ? 2 : 6 - width;
    const uint32_t bits = width == 12 ? 4 : width;
    const size_t first = width == 12 ? m : run.column, byte = width == 12 ? run.low_byte : run.byte;
    add_table(run.width);
    fields_.push_back({static_cast<uint32_t>(first), columns, static_cast<uint32_t>(8 * byte),
                       before, bits, table_});
    add_groups(first, byte, columns / 8, bits, before);
  }
  close_piece();
  finish();
}

void Program::add_table(int width) {
  table_ = table_ == no_table ? 0 : static_cast<uint8_t>(table_ + 1);
  const Lut lut = stored_lut(width);
  std::copy(lut.begin(), lut.end(), luts_[table_]);
}

void Program::add_groups(size_t column, size_t byte, size_t groups, size_t bits, size_t before) {
  const size_t together = 8 % bits == 0 && before > 0 ? 8 / bits : groups + 1;
  while (groups > 0) {
    const size_t count = groups >= together ? together : 1;
    if (count > 1 || together == 1) {
      add_shifts(column, byte, bits, before);
    } else {
      add_pick(column, byte, bits, before);
    }
    column += 8 * count;
    byte += bits * count;
    groups -= count;
  }
}

void Program::add_shifts(size_t column, size_t byte, size_t bits, size_t before) {
  const size_t count = 8 / bits;
  const uint32_t word = pair(static_cast<ptrdiff_t>(byte));
  const ptrdiff_t start = offset_of(word);
  for (size_t i = 0; i < count; ++i) {
    const ptrdiff_t bit = static_cast<ptrdiff_t>(8 * byte + i * bits - before) - 8 * start;
    add_step(Move::shift, static_cast<uint64_t>(bit), table_, word);
    for (size_t b = 0; b < 8; ++b) {
      order_.push_back(static_cast<uint32_t>(column + count * b + i));
    }
  }
}

void Program::add_pick(size_t column, size_t byte, size_t bits, size_t before) {
  const ptrdiff_t low = static_cast<ptrdiff_t>(byte);
  const uint32_t at = word(before == 0 ? low : low - 1, low + static_cast<ptrdiff_t>(bits) - 1);
  const ptrdiff_t start = offset_of(at);
  uint64_t control = 0;
  Lanes lanes;
  for (size_t c = 0; c < 8; ++c) {
    const ptrdiff_t bit = static_cast<ptrdiff_t>(8 * byte + c * bits - before) - 8 * start;
    control |= static_cast<uint64_t>(bit) << (8 * c);
    set_lane(lanes, c, static_cast<uint32_t>(bit));
    order_.push_back(static_cast<uint32_t>(column + c));
  }
  add_step(Move::pick, control, table_, at);
  lanes_.back() = lanes;
}

void Program::add_bytes(size_t column, size_t byte) {
  const ptrdiff_t low = static_cast<ptrdiff_t>(byte);
  make_room();
  uint32_t at = find(low, low);
  if (at == none) at = add_load(low, low);
  add_step(Move::keep, 0, no_table, at);
  for (size_t b = 0; b < 8; ++b) order_.push_back(static_cast<uint32_t>(column + b));
}

void Program::add_step(Move move, uint64_t control, uint8_t table, uint32_t word) {
  const uint32_t at = static_cast<uint32_t>(steps_.size());
  const bool fresh = stretches_.size() == pieces_.back().stretch_begin ||
                     stretches_.back().move != move || stretches_.back().table != table;
  if (fresh) stretches_.push_back({at, at, move, table});
  stretches_.back().end = at + 1;
  steps_.push_back({control, word});
  lanes_.push_back({});
}

// A word and its successor that hold the bytes from byte - 1 to byte + 7; shifts by less than 64
// bits, so the first word starts at most 7 bytes early.
uint32_t Program::pair(ptrdiff_t byte) {
  make_room();
  const uint32_t at = find(byte - 7, byte - 1);
  if (at != none && at % 2 == 0) return at;
  if (at == none || last() + 32 > end_) return add_load(byte - 7, byte - 1);
  offsets_.push_back(static_cast<int32_t>(last() + 16));
  return at;
}

// A word that holds the bytes from `low` to `high`.
uint32_t Program::word(ptrdiff_t low, ptrdiff_t high) {
  make_room();
  const uint32_t at = find(high - 7, low);
  return at == none ? add_load(high - 7, low) : at;
}

// A word of the last load that starts from `first` to `last_start`, the later one where both do.
uint32_t Program::find(ptrdiff_t first, ptrdiff_t last_start) const {
  if (words() == 0) return none;
  for (const uint32_t half : {1u, 0u}) {
    const ptrdiff_t start = last() + 8 * static_cast<ptrdiff_t>(half);
    if (start >= first && start <= last_start) return words() - 2 + half;
  }
  return none;
}

uint32_t Program::words() const {
  return 2 * (static_cast<uint32_t>(offsets_.size()) - pieces_.back().load_begin);
}

ptrdiff_t Program::offset_of(uint32_t word) const {
  return offsets_[pieces_.back().load_begin + word / 2] + 8 * static_cast<ptrdiff_t>(word % 2);
}

ptrdiff_t Program::last() const { return offsets_.back(); }

// Loads 16 bytes that start from `first` to `start`, the later the better; returns the word.
uint32_t Program::add_load(ptrdiff_t first, ptrdiff_t start) {
  const ptrdiff_t end = end_ - 16;
  const bool second = std::min(start, end) < first;  // the row ends there: the load's second half
  offsets_.push_back(static_cast<int32_t>(std::min(second ? start - 8 : start, end)));
  return words() - (second ? 1 : 2);
}

void Program::make_room() {
  if (words() + 4 <= most_words) return;
  close_piece();
  const uint32_t word = static_cast<uint32_t>(offsets_.size());
  const uint32_t stretch = static_cast<uint32_t>(stretches_.size());
  pieces_.push_back({word, word, stretch, stretch});
}

void Program::close_piece() {
  pieces_.back().load_end = static_cast<uint32_t>(offsets_.size());
  pieces_.back().stretch_end = static_cast<uint32_t>(stretches_.size());
}

void Program::finish() {
  view_.steps = steps_.size();
  view_.step = steps_.data();
  view_.lanes = lanes_.data();
  view_.offset = offsets_.data();
  view_.stretch = stretches_.data();
  view_.piece = pieces_.data();
  view_.pieces = pieces_.size();
  view_.field = fields_.data();
  view_.fields = fields_.size();
  view_.lut = luts_;
}

}  // namespace fewbits::trellis
