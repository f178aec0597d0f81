// body.h - the text of encode, compiled once per level: fixed-width vector types lower to whatever
// registers the level has, so every level performs the same operations in the same order.
// Include inside an anonymous namespace after encode.h and dot_f16.h.

// Doubles come in parts of one register; 8 lanes in all, whatever the level.
#if defined(__AVX512F__)
constexpr size_t part = 8;
#elif defined(__AVX2__)
constexpr size_t part = 4;
#else
constexpr size_t part = 2;
#endif
constexpr size_t parts = 8 / part;
constexpr size_t lane = 2 * part;  // floats of one register

typedef float fpart __attribute__((vector_size(4 * part), aligned(4), may_alias));
typedef double dpart __attribute__((vector_size(8 * part)));
typedef float fvec __attribute__((vector_size(4 * lane), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * lane)));
typedef uint32_t uvec __attribute__((vector_size(4 * lane)));

inline fvec load(const float* p) { return *reinterpret_cast<const fvec*>(p); }
inline void store(float* p, fvec v) { *reinterpret_cast<fvec*>(p) = v; }
inline fvec splat(float v) { return v - fvec{}; }
inline fpart load_part(const float* p) { return *reinterpret_cast<const fpart*>(p); }
inline dpart wide(fpart v) { return __builtin_convertvector(v, dpart); }
inline dpart wide(const float* p) { return wide(load_part(p)); }
inline fvec lesser(fvec a, fvec b) { return a < b ? a : b; }
inline fvec greater(fvec a, fvec b) { return a > b ? a : b; }

// Half to even for |v| < 2^22: adding 1.5 * 2^23 leaves no fraction bits.
inline fvec round_even(fvec v) {
  const fvec magic = splat(12582912.0f);
  return (v + magic) - magic;
}

// Eight running sums, lane l of them takes elements l, 8 + l, ...
struct Lanes {
  dpart sum[parts] = {};

  double total() const {
    double s[8];
    __builtin_memcpy(s, sum, sizeof s);
    const double a = s[0] + s[4], b = s[1] + s[5], c = s[2] + s[6], d = s[3] + s[7];
    const double even = a + c, odd = b + d;
    return even + odd;
  }
};

// term(j): the terms of elements j, j + 1, ... of one part.
template <typename Term>
inline double sum_of(size_t n, const Term& term) {
  Lanes lanes;
  for (size_t j = 0; j < n; j += 8) {
    for (size_t s = 0; s < parts; ++s) lanes.sum[s] = lanes.sum[s] + term(j + s * part);
  }
  return lanes.total();
}

inline double dot(const float* a, const float* b, size_t n) {
  return sum_of(n, [=](size_t j) { return wide(a + j) * wide(b + j); });
}

inline double sum_abs(const float* a, size_t n) {
  return sum_of(n, [=](size_t j) {
    const dpart v = wide(a + j);
    return v < 0.0 ? -v : v;
  });
}

inline void normalise_row(float* y, size_t n) {
  const double squares = dot(y, y, n);
  const double inverse = squares > 0 ? 1.0 / __builtin_sqrt(squares) : 0.0;
  for (size_t j = 0; j < n; j += part) {
    const dpart scaled = wide(y + j) * inverse;
    *reinterpret_cast<fpart*>(y + j) = __builtin_convertvector(scaled, fpart);
  }
}

struct RowStep {
  float step = 1;
  float zero = 0;
};

inline RowStep row_step(const float* r, size_t n, const EncodePlan& plan) {
  RowStep found;
  fvec low = splat(0), high = splat(0);
  for (size_t j = 0; j < n; j += lane) {
    low = lesser(load(r + j), low);
    high = greater(load(r + j), high);
  }
  float lo = 0, hi = 0;
  for (size_t l = 0; l < lane; ++l) {
    lo = low[l] < lo ? low[l] : lo;
    hi = high[l] > hi ? high[l] : hi;
  }
  if (plan.step_rule == Step::offset) {
    found.step = (hi - lo) / (plan.high - plan.low);
  } else if (plan.rms_factor > 0) {
    found.step = static_cast<float>(
        plan.rms_factor * __builtin_sqrt(dot(r, r, n) / static_cast<double>(plan.d)));
  } else {
    found.step = (hi > -lo ? hi : -lo) / plan.high_c;
  }
  if (!(found.step > 0)) {
    found.step = 1;  // nothing to tell apart: every code is 0, and so is the zero-point
  } else if (plan.step_rule == Step::offset) {
    found.zero = __builtin_rintf(-lo / found.step) + plan.low;
  }
  return found;
}

// u into `u`, c' into `c`.
inline void quantize_row(const float* r, size_t n, const EncodePlan& plan, const RowStep& own,
                         float* u, float* c) {
  const bool fixed = plan.step_rule == Step::fixed;
  const fvec limit = splat(1048576.0f), low = splat(plan.low), high = splat(plan.high);
  for (size_t j = 0; j < n; j += lane) {
    const fvec v = load(r + j);
    const fvec step = fixed ? load(plan.step + j) : splat(own.step);
    fvec stored, code;
    if (plan.sign) {
      stored = v > 0.0f ? splat(1) : splat(0);
      code = stored + stored - splat(1);
    } else {
      const fvec zero =
          plan.step_rule == Step::offset ? splat(own.zero) : load(plan.zero + j);
      const fvec ratio = greater(lesser(v / step, limit), -limit);
      stored = greater(lesser(round_even(ratio) + zero, high), low);
      code = stored - zero;
    }
    store(u + j, stored);
    store(c + j, fixed ? step * code : code);
  }
}

struct RowFactors {
  float alpha = 1, beta = 0, nu = 0;
};

inline double decoded_squares(const float* c, const float* mean, size_t n, float alpha,
                              bool fixed) {
  return sum_of(n, [=](size_t j) {
    const fpart code = load_part(c + j);
    const dpart value = wide(fixed ? load_part(mean + j) + code : code * alpha);
    return value * value;
  });
}

inline RowFactors row_factors(const float* r, const float* c, size_t n, const EncodePlan& plan,
                              const RowStep& own) {
  RowFactors found;
  const bool fixed = plan.step_rule == Step::fixed;
  if (plan.correct) {
    const double squares = dot(r, r, n), along = dot(r, c, n);
    const double ratio = along > 0 ? squares / along : 0.0;
    found.alpha = ratio < alpha_limit ? static_cast<float>(ratio) : alpha_limit;
    const double cross = static_cast<double>(found.alpha) * dot(plan.mean, c, n);
    if (plan.factors.beta) found.beta = static_cast<float>(dot(plan.mean, r, n) - cross);
    if (plan.factors.nu) found.nu = static_cast<float>(squares + 2.0 * cross);
    return found;
  }
  if (plan.step_rule == Step::row && plan.sign) {
    found.alpha = static_cast<float>(sum_abs(r, n) / static_cast<double>(plan.d));
  } else if (!fixed) {
    found.alpha = own.step;
  }
  if (plan.factors.beta) found.beta = -(own.step * own.zero);
  if (plan.factors.nu) {
    found.nu = static_cast<float>(decoded_squares(c, plan.mean, n, found.alpha, fixed));
  }
  return found;
}

#include "pack.h"

inline void encode_f16_row(float* y, size_t n, const EncodePlan& plan, uint8_t* out) {
  for (size_t j = 0; j < n; j += lane) {
    typedef uint16_t hvec __attribute__((vector_size(2 * lane)));
    const uvec halves = to_halves(load(y + j));
    store(y + j, from_halves(halves));
    const hvec packed = __builtin_convertvector(halves, hvec);
    const size_t left = plan.d > j ? plan.d - j : 0;
    __builtin_memcpy(out + 2 * j, &packed, left < lane ? 2 * left : sizeof packed);
  }
  uint8_t* at = out + plan.factors.offset;
  if (plan.factors.nu) put(at, static_cast<float>(dot(y, y, n)));
}

inline void encode_row(const float* x, const EncodePlan& plan, float* scratch, uint8_t* out) {
  const size_t n = padded(plan.d);
  float* r = scratch;
  float* u = scratch + n;
  float* c = scratch + 2 * n;
  __builtin_memcpy(r, x, plan.d * sizeof(float));
  for (size_t j = plan.d; j < n; ++j) r[j] = 0;
  if (plan.normalise) normalise_row(r, n);
  if (plan.packing == Packing::f16) return encode_f16_row(r, n, plan, out);
  for (size_t j = 0; j < n; j += lane) store(r + j, load(r + j) - load(plan.mean + j));
  RowStep own;
  if (plan.step_rule != Step::fixed) own = row_step(r, n, plan);
  quantize_row(r, n, plan, own, u, c);
  for (size_t j = plan.d; j < n; ++j) c[j] = 0;  // pads must not enter the sums over codes
  switch (plan.packing) {
    case Packing::i8: pack_i8(u, plan.d, out); break;
    case Packing::u4: pack_u4(u, plan.d, out); break;
    case Packing::trit: pack_trit(u, plan.d, out); break;
    default: pack_b1(u, plan.d, out); break;
  }
  const Factors& has = plan.factors;
  if (!has.alpha && !has.beta && !has.nu) return;
  const RowFactors found = row_factors(r, c, n, plan, own);
  uint8_t* at = out + has.offset;
  if (has.alpha) put(at, found.alpha);
  if (has.beta) put(at, found.beta);
  if (has.nu) put(at, found.nu);
}

inline void encode_all(const float* x, size_t n, const EncodePlan& plan, float* scratch,
                       uint8_t* out) {
  for (size_t i = 0; i < n; ++i) encode_row(x + i * plan.d, plan, scratch, out + i * plan.stride);
}
