// body.h - the text of the row steps, compiled once per level: every level performs the same
// operations in the same order. Include inside an anonymous namespace after bytes.h.

#include "vectors.h"

inline double squares_of(const float* a, size_t n) {
  Lanes lanes;
  for (size_t j = 0; j < n; j += 8) {
    for (size_t s = 0; s < parts; ++s) {
      const dpart v = wide(a + j + s * part);
      lanes.add(s, v * v);
    }
  }
  return lanes.total();
}

// Half to even; the values are at most 32767.
inline void round_row(const float* a, size_t n, double factor, int16_t* out) {
  for (size_t j = 0; j < n; j += part) {
    const dpart moved = wide(a + j) * factor + double_magic;  // its low bits are the integer
    *reinterpret_cast<spart*>(out + j) = low_shorts(reinterpret_cast<lpart>(moved));
  }
}

inline double unit_factor(double length) { return length > 0 ? row_unit / length : 0; }

inline void start(const float* x, const Plan& plan, Row& row) {
  const size_t n = plan.row_stride;
  __builtin_memcpy(row.y, x, plan.set.d * sizeof(float));
  for (size_t j = plan.set.d; j < n; ++j) row.y[j] = 0;
  if (plan.set.metric == Metric::cosine) {
    const double squares = squares_of(row.y, n);
    const double inverse = squares > 0 ? 1.0 / __builtin_sqrt(squares) : 0.0;
    for (size_t j = 0; j < n; j += part) {
      const dpart scaled = wide(row.y + j) * inverse;
      *reinterpret_cast<fpart*>(row.y + j) = narrow(scaled);
    }
  }
  if (plan.set.lists == 1) return;
  row.length = __builtin_sqrt(squares_of(row.y, n));
  round_row(row.y, n, unit_factor(row.length), row.y16);
}

inline size_t nearest(const int32_t* products, double length, const Plan& plan) {
  dpart best[parts];
  lpart at[parts];
  for (size_t s = 0; s < parts; ++s) best[s] = dpart{} - __builtin_inf(), at[s] = lpart{};
  for (size_t l = 0; l < plan.half_squares.size(); l += 8) {
    for (size_t s = 0; s < parts; ++s) {
      const size_t first = l + s * part;
      const dpart along = wide(load_ints(products + first)) * wide(&plan.length_scale[first]);
      const dpart value = along * length - wide(&plan.half_squares[first]);
      const lpart better = value > best[s];
      best[s] = better ? value : best[s];
      at[s] = better ? lpart{} + static_cast<int64_t>(l) : at[s];
    }
  }
  double values[8];
  int64_t lists[8];
  __builtin_memcpy(values, best, sizeof values);
  __builtin_memcpy(lists, at, sizeof lists);
  size_t found = 0;
  for (size_t i = 0; i < 8; ++i) lists[i] += static_cast<int64_t>(i);
  for (size_t i = 1; i < 8; ++i) {
    const bool tie = values[i] == values[found] && lists[i] < lists[found];
    if (values[i] > values[found] || tie) found = i;
  }
  return static_cast<size_t>(lists[found]);
}

inline void centre(const Plan& plan, Row& row) {
  const float* c = plan.centroid(row.list);
  Lanes squares, along;
  for (size_t j = 0; j < plan.row_stride; j += 8) {
    for (size_t s = 0; s < parts; ++s) {
      fpart& y = *reinterpret_cast<fpart*>(row.y + j + s * part);
      const fpart centre = *reinterpret_cast<const fpart*>(c + j + s * part);
      y = y - centre;
      const dpart r = wide(y);
      squares.add(s, r * r);
      along.add(s, wide(centre) * r);
    }
  }
  row.squares = squares.total();
  row.along = along.total();
  row.length = __builtin_sqrt(row.squares);
  round_row(row.y, plan.row_stride, unit_factor(row.length), row.y16);
}

// int16 targets, the same in both halves of a word.
inline void set_targets(const Run& run, const Plan& plan, Row& row) {
  const float most = static_cast<float>(127 * cost_scale[run.width - 1]);
  for (size_t j = run.column; j < run.column + run.columns; j += lane) {
    const fvec at = __builtin_convertvector(load(row.z + j), fvec) * load(&plan.kq[j]);
    const fvec moved = greater(lesser(at, splat(most)), splat(-most)) + float_magic;
    const ivec bits = reinterpret_cast<ivec>(moved);  // the low half is the integer
    store(row.target + j, (bits & 0xffff) | bits << 16);
  }
}

inline void set_numbers(const Run& run, const Plan& plan, Row& row) {
  const float half = static_cast<float>(1 << (run.width - 1));
  for (size_t j = run.column; j < run.column + run.columns; j += lane) {
    fvec at = __builtin_convertvector(load(row.z + j), fvec) * load(&plan.kq[j]);
    at = greater(lesser(at, splat(half)), splat(-half));
    const fvec even = (at + float_magic) - float_magic;
    const fvec floored = even - (even > at ? splat(1) : splat(0));
    const fvec number = lesser(floored, splat(half - 1)) + half;
    store(row.target + j, __builtin_convertvector(number, ivec));
  }
}

inline void quantize(const Plan& plan, Row& row) {
  for (const Run& run : plan.runs) {
    if (run.width <= most_trellis_width) {
      set_targets(run, plan, row);
    } else {
      set_numbers(run, plan, row);
      pack_numbers(run, row.target + run.column, row.code);
    }
  }
}

#include "sums.h"
