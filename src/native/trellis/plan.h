// plan.h - what trellis code rows mean: the learned state, and everything derived from it.
//
// A row x is a centroid C_l, a residual r = x - C_l, and columns u_j = <v_j, r> / |r|, each of
// which has a code of widths[j / 8] bits. fewbits/vectors/trellis/plan.py is the same in numpy.
//
// Pseudo-columns: the m columns in order (a 12-bit column stands here with its high byte), then one
// low nibble per 12-bit column. Every pseudo-column has a stored value U in 0 .. 255, a gain and an
// offset; its part of the code vector is gain * (2 U - off2) * 2^-25.
//
// Bytes of a row, in this order; stream bit k is bit k % 8 (least significant first) of byte k / 8:
//   runs of width 1 .. 4   ONE stream over all of them, R bits a column, most significant bit first
//   run of width 6         fields of 6 bits, little-endian numbers
//   run of width 8         bytes
//   run of width 12        high bytes; then low nibbles, the first column's in the low half
//   list id (id_bytes, little-endian), scale s, bias b (scalar_bytes each)
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "../form.h"
#include "dot/program.h"
#include "project/project.h"
#include "tables.h"

namespace fewbits::trellis {

inline constexpr size_t group_columns = 8;    // columns that share a width
inline constexpr double row_unit = 32766.0;   // length of an int16 row (room for its rounding)
inline constexpr double column_unit = 32767.0;

// Column buffers have room for a register's read or write from any group on.
static inline size_t columns_size(size_t m) { return project_size(m) + 16; }

// Neighbouring groups of one width.
struct Run {
  int width = 0;         // 1, 2, 3, 4, 6, 8, 12
  size_t column = 0;     // first column, a multiple of 8
  size_t columns = 0;    // a multiple of 8
  size_t byte = 0;       // where its codes start in a row (12: the high bytes)
  size_t low_byte = 0;   // 12 only: where the low nibbles start
};

struct Settings {
  size_t d = 0;
  size_t m = 0;      // stored columns, a multiple of 8
  size_t lists = 1;  // centroids
  Metric metric = Metric::cosine;
  size_t id_bytes = 0;      // 0 (one list), 1, 2
  size_t scalar_bytes = 2;  // 1, 2, 4
  double rest_weight = 0;
  float s_low = 0, s_step = 1, b_low = 0, b_step = 1;
  float residual_norm = 0;  // root mean square |r| of the rows it was learned from
};

// Throws std::invalid_argument where sizes, widths or values do not fit together.
class Plan {
 public:
  // basis: (m, d); sigma: (m,); widths: (m / 8,); centroids: (lists, d); mh: (lists, m).
  Plan(const Settings& settings, const int16_t* basis, const float* sigma, const uint8_t* widths,
       const float* centroids, const float* mh);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  Settings set;
  std::vector<Run> runs;       // at most one per width, ascending
  size_t m12 = 0;              // columns of width 12, the last ones
  size_t pseudo = 0;           // m + m12
  size_t stream_bits = 0;      // of the trellis runs; a multiple of 8
  size_t trellis_columns = 0;  // the first ones
  size_t id_at = 0;            // bytes of codes before the id
  size_t s_at = 0, b_at = 0;
  size_t code_size = 0;

  std::vector<int32_t> gain;   // (pseudo,)
  std::vector<int32_t> off2;   // (pseudo,): 256 (to width 6), 255 (8, high bytes), 15 (low nibbles)
  std::vector<double> step;    // (pseudo,): gain * 2^-25, exact
  std::vector<double> sigma;   // (m,): exact copies of the float32 values
  std::vector<float> kq;       // (m, padded): int32 projection to code units; 0 where sigma is 0
  std::vector<float> mh;       // (lists, m)

  std::vector<float> centroids;      // (lists, row_stride), zero padded
  size_t row_stride = 0;             // padded(d)
  std::vector<double> squares;       // (lists,): <C_l, C_l>
  std::vector<double> length;        // (lists,): |C_l|
  // Padded to a multiple of 8 so that a missing list never is the nearest one.
  std::vector<double> length_scale;  // (lists,): |C_l| / 32766^2, turns <row16, C16_l> into units
  std::vector<double> half_squares;  // (lists,): <C_l, C_l> / 2
  std::vector<double> inv2;          // (lists,): 1 / <C_l, C_l>, 0 where the centroid is (nearly) 0
  Packed basis;                      // m columns of length 32767
  Packed centroids16;                // C16, lists columns of length 32766
  std::shared_ptr<const Program> program;  // how the dot kernels read a row

  const float* centroid(size_t l) const { return centroids.data() + l * row_stride; }
  const float* mh_of(size_t l) const { return mh.data() + l * set.m; }

 private:
  void check(const uint8_t* widths, const float* sigma) const;
  void lay_out(const uint8_t* widths);
  void set_columns(const float* sigma);
  void set_lists(const float* values);
};

}  // namespace fewbits::trellis
