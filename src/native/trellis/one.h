// one.h - the best rows of one query out of rows that come chunk by chunk.
#pragma once
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "scan.h"

namespace fewbits::trellis {

// Some rows as contiguous memory: a pointer where they are neighbours, else a copy.
class Chunk {
 public:
  Chunk(const Codes& codes, size_t stride, const int64_t* allowed)
      : codes_(codes), stride_(stride), allowed_(allowed) {}

  const uint8_t* rows(size_t begin, size_t n) {
    const size_t first = static_cast<size_t>(row(begin));
    if (static_cast<size_t>(row(begin + n - 1)) - first == n - 1) {
      return codes_.data + first * stride_;
    }
    copy_.resize(chunk_rows * stride_);
    for (size_t i = 0; i < n; ++i) {
      const size_t at = static_cast<size_t>(allowed_[begin + i]);
      std::memcpy(copy_.data() + i * stride_, codes_.data + at * stride_, stride_);
    }
    return copy_.data();
  }

  int64_t row(size_t position) const {
    return allowed_ == nullptr ? static_cast<int64_t>(position) : allowed_[position];
  }

 private:
  const Codes& codes_;
  size_t stride_;
  const int64_t* allowed_;
  std::vector<uint8_t> copy_;
};

// The best rows of one query, chunk by chunk. Once k are held, the first plane tells which rows of
// a chunk can enter; those alone meet the second one, when enough of them have come together.
class OneScan {
 public:
  OneScan(const Scorer& scorer, const Query& query, size_t k)
      : scorer_(scorer),
        query_(query),
        best_(k),
        stride_(scorer.plan().code_size),
        can_sift_(scorer.can_sift()) {}

  void add(const uint8_t* rows, size_t begin, size_t n, const Chunk& chunk) {
    if (sieve_ && best_.threshold() > -std::numeric_limits<float>::infinity()) {
      copy_.resize((chunk_rows + flush_rows) * stride_);
      const size_t before = waiting_;
      if (can_sift_) {
        add_sifted(rows, begin, n, chunk);
      } else {
        add_bounded(rows, begin, n, chunk);
      }
      sieve_ = waiting_ - before < n / 4;
      while (waiting_ >= flush_rows) flush(flush_rows);
      return;
    }
    scorer_.tails(rows, n, tails_);
    scorer_.exact(rows, n, query_, tails_, scores_);
    const size_t count = scorer_.select(scores_, n, best_.threshold(), above_);
    for (size_t c = 0; c < count; ++c) push(scores_[above_[c]], chunk.row(begin + above_[c]));
    sieve_ = count < n / 4;
  }

  TopK finish() {
    if (waiting_ > 0) flush(waiting_);
    return std::move(best_);
  }

 private:
  static constexpr size_t flush_rows = 64;

  void add_sifted(const uint8_t* rows, size_t begin, size_t n, const Chunk& chunk) {
    uint64_t pass[chunk_rows / 64];
    scorer_.sift(rows, n, query_, best_.threshold(), pass);
    for (size_t i = 0; i < n; i += 64) {
      for (uint64_t some = pass[i / 64]; some != 0; some &= some - 1) {
        keep(rows, i + static_cast<size_t>(__builtin_ctzll(some)), begin, chunk);
      }
    }
  }

  void add_bounded(const uint8_t* rows, size_t begin, size_t n, const Chunk& chunk) {
    scorer_.tails(rows, n, tails_);
    scorer_.bound(rows, n, query_, tails_, scores_);
    const size_t count = scorer_.select(scores_, n, best_.threshold(), above_);
    for (size_t c = 0; c < count; ++c) keep(rows, above_[c], begin, chunk);
  }

  void keep(const uint8_t* rows, size_t i, size_t begin, const Chunk& chunk) {
    std::memcpy(copy_.data() + waiting_ * stride_, rows + i * stride_, stride_);
    numbers_[waiting_++] = chunk.row(begin + i);
  }

  // Scores the last `count` rows that wait.
  void flush(size_t count) {
    waiting_ -= count;
    scorer_.exact(copy_.data() + waiting_ * stride_, count, query_, scores_);
    for (size_t c = 0; c < count; ++c) {
      if (!(scores_[c] < best_.threshold())) push(scores_[c], numbers_[waiting_ + c]);
    }
  }

  // Codes that no encoder wrote may score NaN: last, but still counted as a row.
  void push(float score, int64_t row) {
    best_.push({score == score ? score : -std::numeric_limits<float>::infinity(), row});
  }

  const Scorer& scorer_;
  const Query& query_;
  TopK best_;
  size_t stride_;
  bool can_sift_, sieve_ = true;
  size_t waiting_ = 0;
  Tails tails_;
  float scores_[chunk_rows];
  uint16_t above_[chunk_rows];
  int64_t numbers_[chunk_rows + flush_rows];
  std::vector<uint8_t> copy_;
};

}  // namespace fewbits::trellis
