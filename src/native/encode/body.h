// body.h - the text of encode, compiled once per level: fixed-width vector types lower to whatever
// registers the level has, so every level performs the same operations in the same order.
// Include inside an anonymous namespace after encode.h and dot_f16.h.

typedef float f8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef double d8 __attribute__((vector_size(64)));
typedef int32_t i8v __attribute__((vector_size(32)));

inline f8 load(const float* p) { return *reinterpret_cast<const f8*>(p); }
inline void store(float* p, f8 v) { *reinterpret_cast<f8*>(p) = v; }
inline f8 splat(float v) { return f8{v, v, v, v, v, v, v, v}; }
inline d8 wide(f8 v) { return __builtin_convertvector(v, d8); }
inline f8 lesser(f8 a, f8 b) { return a < b ? a : b; }
inline f8 greater(f8 a, f8 b) { return a > b ? a : b; }

// Half to even for |v| < 2^22: adding 1.5 * 2^23 leaves no fraction bits.
inline f8 round_even(f8 v) {
  const f8 magic = splat(12582912.0f);
  return (v + magic) - magic;
}

inline double total(d8 s) {
  const double a = s[0] + s[4], b = s[1] + s[5], c = s[2] + s[6], d = s[3] + s[7];
  const double even = a + c, odd = b + d;
  return even + odd;
}

inline double dot(const float* a, const float* b, size_t n) {
  d8 sum = {0, 0, 0, 0, 0, 0, 0, 0};
  for (size_t j = 0; j < n; j += 8) {
    const d8 product = wide(load(a + j)) * wide(load(b + j));
    sum = sum + product;
  }
  return total(sum);
}

inline double sum_abs(const float* a, size_t n) {
  d8 sum = {0, 0, 0, 0, 0, 0, 0, 0};
  for (size_t j = 0; j < n; j += 8) {
    const f8 v = load(a + j);
    sum = sum + wide(v < 0.0f ? -v : v);
  }
  return total(sum);
}

inline void normalise_row(float* y, size_t n) {
  const double squares = dot(y, y, n);
  const double inverse = squares > 0 ? 1.0 / __builtin_sqrt(squares) : 0.0;
  for (size_t j = 0; j < n; j += 8) {
    const d8 scaled = wide(load(y + j)) * inverse;
    store(y + j, __builtin_convertvector(scaled, f8));
  }
}

struct RowStep {
  float step = 1;
  float zero = 0;
};

inline RowStep row_step(const float* r, size_t n, const EncodePlan& plan) {
  RowStep found;
  f8 low = splat(0), high = splat(0);
  for (size_t j = 0; j < n; j += 8) {
    low = lesser(load(r + j), low);
    high = greater(load(r + j), high);
  }
  float lo = 0, hi = 0;
  for (int l = 0; l < 8; ++l) {
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
  if (!(found.step > 0)) found.step = 1;
  if (plan.step_rule == Step::offset) {
    found.zero = __builtin_rintf(-lo / found.step) + plan.low;
  }
  return found;
}

// u into `u`, c' into `c`.
inline void quantize_row(const float* r, size_t n, const EncodePlan& plan, const RowStep& own,
                         float* u, float* c) {
  const bool fixed = plan.step_rule == Step::fixed;
  const f8 limit = splat(1048576.0f), low = splat(plan.low), high = splat(plan.high);
  for (size_t j = 0; j < n; j += 8) {
    const f8 v = load(r + j);
    const f8 step = fixed ? load(plan.step + j) : splat(own.step);
    f8 stored, code;
    if (plan.sign) {
      stored = v > 0.0f ? splat(1) : splat(0);
      code = stored + stored - splat(1);
    } else {
      const f8 zero =
          plan.step_rule == Step::offset ? splat(own.zero) : load(plan.zero + j);
      const f8 ratio = greater(lesser(v / step, limit), -limit);
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

inline double decoded_squares(const float* c, const float* mean, size_t n, float alpha, bool fixed) {
  d8 sum = {0, 0, 0, 0, 0, 0, 0, 0};
  for (size_t j = 0; j < n; j += 8) {
    const f8 value = fixed ? load(mean + j) + load(c + j) : load(c + j) * splat(alpha);
    sum = sum + wide(value) * wide(value);
  }
  return total(sum);
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

inline void pack_i8(const float* u, size_t d, uint8_t* out) {
  for (size_t j = 0; j < d; ++j) out[j] = static_cast<uint8_t>(static_cast<int32_t>(u[j]));
}

inline void pack_u4(const float* u, size_t d, uint8_t* out) {
  for (size_t b = 0; b < d / 2; ++b) {
    const int32_t value = static_cast<int32_t>(u[2 * b] * 16.0f + u[2 * b + 1]);
    out[b] = static_cast<uint8_t>(value);
  }
  if (d % 2) out[d / 2] = static_cast<uint8_t>(static_cast<int32_t>(u[d - 1]) << 4);
}

inline void pack_trit(const float* u, size_t d, uint8_t* out) {
  for (size_t b = 0; b < (d + 4) / 5; ++b) {
    int32_t value = 0;
    for (size_t k = 0; k < 5; ++k) {
      const size_t j = 5 * b + k;
      value = value * 3 + (j < d ? static_cast<int32_t>(u[j]) : 1);  // a pad digit is 1: zero
    }
    out[b] = static_cast<uint8_t>((value * 256 + 242) / 243);
  }
}

inline void pack_b1(const float* u, size_t d, uint8_t* out) {
  // Weights 128, 64, ... turn eight 0/1 floats into the byte they spell, most significant first.
  const f8 weights = {128, 64, 32, 16, 8, 4, 2, 1};
  const size_t whole = d / 8;
  for (size_t b = 0; b < whole; ++b) {
    const f8 v = load(u + 8 * b) * weights;
    const float sum = ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
    out[b] = static_cast<uint8_t>(static_cast<int32_t>(sum));
  }
  if (d % 8) {
    int32_t value = 0;
    for (size_t j = 8 * whole; j < d; ++j) value |= (u[j] > 0 ? 1 : 0) << (7 - (j % 8));
    out[whole] = static_cast<uint8_t>(value);
  }
}

inline void put(uint8_t*& at, float value) {
  __builtin_memcpy(at, &value, sizeof value);
  at += sizeof value;
}

inline void encode_f16_row(const float* y, const EncodePlan& plan, uint8_t* out) {
  d8 sum = {0, 0, 0, 0, 0, 0, 0, 0};
  for (size_t j = 0; j < plan.d; ++j) {
    const uint16_t half = float_to_half(y[j]);
    __builtin_memcpy(out + 2 * j, &half, sizeof half);
    const double value = half_to_float(half);
    sum[j % 8] = sum[j % 8] + value * value;
  }
  uint8_t* at = out + plan.factors.offset;
  if (plan.factors.nu) put(at, static_cast<float>(total(sum)));
}

inline void encode_row(const float* x, const EncodePlan& plan, float* scratch, uint8_t* out) {
  const size_t n = padded(plan.d);
  float* r = scratch;
  float* u = scratch + n;
  float* c = scratch + 2 * n;
  __builtin_memcpy(r, x, plan.d * sizeof(float));
  for (size_t j = plan.d; j < n; ++j) r[j] = 0;
  if (plan.normalise) normalise_row(r, n);
  if (plan.packing == Packing::f16) return encode_f16_row(r, plan, out);
  for (size_t j = 0; j < n; j += 8) store(r + j, load(r + j) - load(plan.mean + j));
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
