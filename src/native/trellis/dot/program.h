// program.h - how the wide dot kernels read the rows of a plan: words, steps and tables.
//
// A group of width R <= 4 is 8 windows of 6 bits, R bits apart. Where groups of R = 1, 2, 4 fill 8
// bytes, shifting those by R - 6, 2 R - 6 ... 2 bits puts a window at the bottom of every byte
// (tables look at 6 bits only): one step for each shift, 8 columns that are 8 / R apart. Other
// groups pick their 8 windows from one word.
#pragma once
#include <vector>

#include "dot.h"

namespace fewbits::trellis {

struct Run;

class Program {
 public:
  // code_size: bytes of a row, the scalars behind the codes included.
  Program(const std::vector<Run>& runs, size_t m, size_t code_size);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const ProgramView& view() const { return view_; }
  // Pseudo-column of each byte of each step, (8 * steps,): a permutation of all of them.
  const std::vector<uint32_t>& order() const { return order_; }

 private:
  void add_table(int width);
  void add_groups(size_t column, size_t byte, size_t groups, size_t bits, size_t before);
  void add_shifts(size_t column, size_t byte, size_t bits, size_t before);
  void add_pick(size_t column, size_t byte, size_t bits, size_t before);
  void add_bytes(size_t column, size_t byte);
  void add_step(Move move, uint64_t control, uint8_t table, uint32_t word);
  uint32_t pair(ptrdiff_t byte);
  uint32_t word(ptrdiff_t low, ptrdiff_t high);
  uint32_t words() const;  // of the open piece
  ptrdiff_t last() const;  // offset of its last load
  ptrdiff_t offset_of(uint32_t word) const;
  uint32_t find(ptrdiff_t first, ptrdiff_t last_start) const;
  uint32_t add_load(ptrdiff_t first, ptrdiff_t start);
  void make_room();
  void close_piece();
  void finish();

  ProgramView view_;
  ptrdiff_t end_ = 0;  // of what may be read
  uint8_t table_ = no_table;
  std::vector<Step> steps_;
  std::vector<Lanes> lanes_;
  std::vector<int32_t> offsets_;
  std::vector<Stretch> stretches_;
  std::vector<Piece> pieces_;
  std::vector<Field> fields_;
  std::vector<uint32_t> order_;
  uint8_t luts_[lut_count][64] = {};
};

}  // namespace fewbits::trellis
