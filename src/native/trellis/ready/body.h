// body.h - the text of the ready steps, compiled once per level: every level performs the same
// operations in the same order. Include inside an anonymous namespace after ready.h.

#include "../rows/vectors.h"

constexpr double second_levels = 254.0;  // the rest of a rounding lies within half a step of 127

inline void put(double* at, dpart v) { *reinterpret_cast<dload*>(at) = v; }

// Half to even for |v| < 2^51: adding 1.5 * 2^52 leaves no fraction bits.
inline dpart rounded(dpart v) { return (v + double_magic) - double_magic; }

inline void put_level(int16_t* at, dpart level) {
  *reinterpret_cast<spart*>(at) = low_shorts(reinterpret_cast<lpart>(level + double_magic));
}

inline double squares_of(const double* a, size_t n) {
  Lanes lanes;
  for (size_t j = 0; j < n; j += 8) {
    for (size_t s = 0; s < parts; ++s) {
      const dpart v = wide(a + j + s * part);
      lanes.add(s, v * v);
    }
  }
  return lanes.total();
}

inline double start(const float* q, size_t d, bool normalise, double* out, int16_t* row) {
  const size_t n = (d + 7) / 8 * 8;
  for (size_t j = 0; j < d; ++j) out[j] = q[j];
  for (size_t j = d; j < n; ++j) out[j] = 0;
  double squares = squares_of(out, n);
  if (normalise) {
    const double inverse = squares > 0 ? 1.0 / __builtin_sqrt(squares) : 0.0;
    for (size_t j = 0; j < n; j += part) put(out + j, wide(out + j) * inverse);
    squares = squares_of(out, n);
  }
  const double length = __builtin_sqrt(squares);
  const double scale = length > 0 ? row_unit / length : 0.0;
  for (size_t j = 0; j < n; j += part) put_level(row + j, wide(out + j) * scale);
  return squares;
}

// g, e, and what is known of them.
inline void columns(const PlaneRules& rules, const int32_t* products, double unit,
                    const PlaneRoom& room, PlaneSums& out) {
  const Plan& plan = *rules.plan;
  Lanes spread;
  for (size_t j = 0; j < plan.set.m; j += 8) {
    for (size_t s = 0; s < parts; ++s) {
      const size_t at = j + s * part;
      const dpart g = wide(load_ints(products + at)) * unit;
      put(room.g + at, g);
      const dpart along = g * wide(&plan.sigma[at]);
      spread.add(s, along * along);
    }
  }
  out.spread = spread.total();
  dpart most = {};
  for (size_t j = 0; j < plan.pseudo; j += part) {
    const size_t column = j < plan.set.m ? j : j - plan.m12;
    const dpart e = wide(room.g + column) * wide(rules.scale + j);
    put(room.e + j, e);
    const dpart size = e < 0.0 ? -e : e;
    most = size > most ? size : most;
  }
  out.largest = 0;
  for (size_t i = 0; i < part; ++i) out.largest = most[i] > out.largest ? most[i] : out.largest;
  out.unit = out.largest > 0 ? out.largest / 127.0 : 1.0;
}

inline void add_up(const PlaneRules& rules, const int16_t* level, int p, int8_t* plain,
                   PlaneSums& out) {
  const size_t n = rules.plan->pseudo;
  const int32_t* off2 = rules.plan->off2.data();
  const int16_t* most = rules.most;
  int32_t base = 0, sum = 0, size = 0, squares = 0, sizes = 0;
  for (size_t j = 0; j < n; ++j) {
    const int32_t v = level[j], magnitude = v < 0 ? -v : v;
    plain[j] = static_cast<int8_t>(v);
    base += v * off2[j];
    sum += v;
    size += magnitude * most[j];
    squares += v * v;
    sizes += magnitude;
  }
  out.base[p] = base;
  out.sum[p] = sum;
  out.size[p] = size;
  out.squares[p] = squares;
  out.sizes[p] = sizes;
}

inline void planes(const PlaneRules& rules, const int32_t* products, double unit,
                   const PlaneRoom& room, int8_t* const* plain, PlaneSums& out) {
  columns(rules, products, unit, room, out);
  const double finer = second_levels / out.unit;
  const dpart most = dpart{} + 127.0;
  for (size_t j = 0; j < rules.plan->pseudo; j += part) {
    const dpart e = wide(room.e + j), level = rounded(e / out.unit);
    dpart rest = rounded((e - out.unit * level) * finer);
    rest = rest > most ? most : rest;
    rest = rest < -most ? -most : rest;
    put_level(room.level[0] + j, level);
    put_level(room.level[1] + j, rest);
  }
  for (int p = 0; p < 2; ++p) add_up(rules, room.level[p], p, plain[p], out);
}
