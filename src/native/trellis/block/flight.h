// flight.h - some queries side by side in tiles, and rows run against them.
#pragma once
#include <vector>

#include "../scan.h"
#include "block.h"
#include "keeper.h"

namespace fewbits::trellis {

// 64-byte aligned array.
template <typename T>
class Aligned {
 public:
  // Room for `count` values; what it held is lost.
  void room(size_t count) {
    if (count <= count_) return;
    storage_.assign(count * sizeof(T) + 64, 0);
    const size_t over = reinterpret_cast<uintptr_t>(storage_.data()) % 64;
    at_ = reinterpret_cast<T*>(storage_.data() + (over == 0 ? 0 : 64 - over));
    count_ = count;
  }
  void fill(size_t count, T value) {
    room(count);
    std::fill(at_, at_ + count, value);
  }
  T* data() { return at_; }
  const T* data() const { return at_; }
  T& operator[](size_t i) { return at_[i]; }
  const T& operator[](size_t i) const { return at_[i]; }

 private:
  std::vector<uint8_t> storage_;
  T* at_ = nullptr;
  size_t count_ = 0;
};

// In place of a list: rows of any.
inline constexpr size_t any_list = ~size_t{0};

// What bounding the scores of a query takes, whatever the rows.
struct Gauge {
  double inverse = 0;  // 1 / (2 w1): sift counts in units of the sums; 0: unfit
  double value = 0;    // bound of |v|
  int32_t start = 0;   // what sums begin with
  float reach = 0;     // length of plane 2, in those units per |2 U - off2|
};

std::vector<Gauge> gauges_of(const Queries& queries);

// From a pair's sums to its score: what query.h and dot.h say, side by side in memory.
struct alignas(64) Finish {
  uint32_t base[2] = {0, 0};  // base2; twice a sum may wrap before it is subtracted
  float weight[2] = {0, 0};
  float t = 0, gamma = 0;      // of the flight's list
  const float* all_t = nullptr;  // of every list
  const float* all_gamma = nullptr;

  float v(const int32_t* sum) const {
    const float high = part(sum[0], 0), low = part(sum[1], 1);
    return high + low;
  }

 private:
  float part(int32_t sum, int p) const {
    return static_cast<float>(static_cast<int32_t>(2u * static_cast<uint32_t>(sum) - base[p])) *
           weight[p];
  }
};

// Queries that score together, each with a seat (a lane of a tile). A query whose numbers are too
// large or too small to bound in float32 is unfit: its lane stays empty, all its rows are scored.
class Flight {
 public:
  Flight(const Plan& plan, const Queries& queries, const std::vector<Gauge>& gauges)
      : plan_(plan), queries_(queries), gauges_(gauges) {}

  // Seats query numbers[i] in seat i. list: of all the rows to come, or any_list.
  void board(const size_t* numbers, size_t count, size_t list);

  size_t size() const { return numbers_.size(); }
  bool by_list() const { return by_list_; }  // rows of several lists
  size_t tiles() const { return (size() + tile_lanes - 1) / tile_lanes; }
  Tile tile(size_t t) const;
  const Query& query(size_t seat) const { return queries_[numbers_[seat]]; }
  const Planes* planes(size_t t) const { return planes_.data() + t * tile_lanes; }
  const Finish& finish(size_t seat) const { return finishes_[seat]; }
  bool fit(size_t seat) const { return seats_[seat].inverse > 0; }
  bool all_fit() const { return all_fit_; }

  // Takes bounds of |s| and |b| of the rows to come; true where they have grown.
  bool widen(float s, float b);
  // Pairs of the seat that may score `threshold` or more will pass.
  void set_limit(size_t seat, float threshold);

 private:
  struct Seat {
    double inverse = 0;  // 0: unfit
    double gamma = 0;    // part of the score that all rows share
    double per_s = 0, per_b = 0, fixed = 0;  // slack
  };
  void take_seat(size_t seat, size_t list);
  void fill_plane(size_t seat);

  const Plan& plan_;
  const Queries& queries_;
  const std::vector<Gauge>& gauges_;
  double most_s_ = 0, most_b_ = 0;
  bool all_fit_ = true;
  bool by_list_ = false;  // gamma_ is in use
  size_t lanes_ = 0;  // seats rounded up to whole strips
  std::vector<size_t> numbers_;
  std::vector<Seat> seats_;
  std::vector<Finish> finishes_;
  std::vector<Planes> planes_;
  Aligned<int8_t> plane_;
  Aligned<int32_t> start_, total_;
  Aligned<float> reach_, bias_, limit_, gamma_;
};

}  // namespace fewbits::trellis
