// query.h - queries made ready for trellis codes; fewbits/vectors/trellis/scoring.py is the same
// in numpy, bit for bit.
//   score = ((v s) + (t[l] b)) + gamma[l]     v: dot/dot.h; s, b, l: stored, see tail/tail.h
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dot/dot.h"
#include "plan.h"

namespace fewbits::trellis {

// The first plane alone gives score1; the score is at most
//   score1 + (|s| * err[0] + |b| * err[1]) + err[2], float rounding on the way included.
struct Query {
  PlaneView view;                // plain planes: zero padded to 64 bytes, 64-byte aligned
  const float* t = nullptr;      // (lists,); l2: all -1, else gamma itself
  const float* gamma = nullptr;  // (lists,): also the key by which lists are visited
  float err[3] = {0, 0, 0};
  int32_t sizes = 0;       // sum of |level| of plane 1
  int32_t squares = 0;     // sum of level^2 of plane 2
  double noise = 0;        // standard deviation of v s for a row with |r| = residual_norm
  float factor = 1;        // 2 for l2
};

class Queries {
 public:
  // q: n x d floats, finite (the gate).
  Queries(const Plan& plan, const float* q, size_t n);
  Queries(const Queries&) = delete;
  Queries& operator=(const Queries&) = delete;

  size_t size() const { return queries_.size(); }
  const Query& operator[](size_t i) const { return queries_[i]; }
  size_t plane_bytes() const { return plane_bytes_; }

 private:
  struct Scratch;
  void add(const Plan& plan, const float* q, size_t first, size_t n, Scratch& scratch);
  void fill_lists(const Plan& plan, const int32_t* products, double squares, size_t i);
  void fill_planes(const Plan& plan, const int32_t* products, double length, size_t i,
                   Scratch& scratch);

  size_t plane_bytes_ = 0;
  std::vector<Query> queries_;
  std::vector<float> lists_;  // t and gamma of every query
  std::unique_ptr<uint8_t[]> storage_;
  int8_t* planes_ = nullptr;  // in storage_, 64-byte aligned
};

}  // namespace fewbits::trellis
