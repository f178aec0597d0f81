// sifter.h - the best of some rows for every query of a flight, block by block.
#pragma once
#include "flight.h"

namespace fewbits::trellis {

// Rows by position: all of them, those of a list of row numbers, every step-th of either.
class RowSource {
 public:
  RowSource(const Codes& codes, size_t stride, const int64_t* allowed, size_t step = 1)
      : codes_(codes), stride_(stride), allowed_(allowed), step_(step) {}

  int64_t number(size_t position) const {
    const size_t at = position * step_;
    return allowed_ == nullptr ? static_cast<int64_t>(at) : allowed_[at];
  }
  // `n` neighbouring positions as contiguous memory: a pointer where they are, else a copy.
  const uint8_t* rows(size_t position, size_t n);

 private:
  const Codes& codes_;
  size_t stride_;
  const int64_t* allowed_;
  size_t step_;
  std::vector<uint8_t> copy_;
};

// One thread's memory for blocks and for the pairs that pass.
class Sifter {
 public:
  Sifter(const Scorer& scorer, const UnpackMap& map);

  // Adds positions [begin, end) of the source. keepers: one per seat; rows may come in any order.
  void run(RowSource& source, size_t begin, size_t end, Flight& flight, Keeper* const* keepers);

 private:
  void load(const uint8_t* rows, size_t n, Flight& flight, Keeper* const* keepers);
  void bound_scalars(size_t n, float& most_s, float& most_b);
  size_t gather(size_t lanes);
  size_t finish(size_t t, size_t count, const Flight& flight, Keeper* const* keepers);
  void settle(const RowSource& source, size_t begin, size_t t, Flight& flight,
              Keeper* const* keepers);
  void score_rest(const RowSource& source, size_t begin, const uint8_t* rows, Flight& flight,
                  Keeper* const* keepers);

  const Scorer& scorer_;
  const UnpackMap& map_;
  Block block_;
  Tails tails_;
  Aligned<uint8_t> values_;
  Aligned<float> s_, spread_, b_, x_;
  int32_t squares_[block_rows] = {0};
  std::vector<uint32_t> odd_;  // rows whose scalars allow no bound
  bool any_odd_ = false;
  uint64_t passed_[block_rows];
  std::vector<uint32_t> pair_;
  std::vector<int32_t> sum_;  // two of each pair
  std::vector<float> score_;
};

}  // namespace fewbits::trellis
