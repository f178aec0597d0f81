// quantize.h - rows of floats to rows of bytes.
// Include inside an anonymous namespace, after the level's Lanes and Codes.
//
// Codes says how four registers of floats become one of bytes:
//   B pack(v0, v1, v2, v3, zero): clip(round(v) + zero, 0, 255), ties to even, v < 2^31
//   store(p, B); store_some(p, B, n): n codes and zero bytes up to a multiple of 4
//   Tally: add(B), add_some(B, n) and to(Ends&): the codes at the ends

using V = Lanes::V;
constexpr size_t step = 4 * Lanes::width;  // codes of a register of bytes

// The least and the greatest values of a row, and 0, register i of it in slot i % 4.
struct Range {
  V low[4] = {Lanes::zero(), Lanes::zero(), Lanes::zero(), Lanes::zero()};
  V high[4] = {Lanes::zero(), Lanes::zero(), Lanes::zero(), Lanes::zero()};

  FEWBITS_INLINE void add(Range& range, V v, size_t slot) {
    range.low[slot] = Lanes::min(range.low[slot], v);
    range.high[slot] = Lanes::max(range.high[slot], v);
  }
  FEWBITS_INLINE float least(const Range& r) {
    return Lanes::bottom(Lanes::min(Lanes::min(r.low[0], r.low[1]),
                                    Lanes::min(r.low[2], r.low[3])));
  }
  FEWBITS_INLINE float greatest(const Range& r) {
    return Lanes::top(Lanes::max(Lanes::max(r.high[0], r.high[1]),
                                 Lanes::max(r.high[2], r.high[3])));
  }
};

struct Scaling {
  float scale, inverse;
  int32_t zero;
};

inline Scaling scaling_of(const Range& range, bool symmetric) {
  const float low = Range::least(range), high = Range::greatest(range);
  const float span = symmetric ? (high > -low ? high : -low) : high - low;
  const float steps = symmetric ? 127.0f : 255.0f;
  if (span < 0x1p-100f) return {1, 0, symmetric ? 128 : 0};
  const float inverse = steps / span;
  if (symmetric) return {span / steps, inverse, 128};
  // 0 <= -low * inverse < 256; adding 2^23 leaves a whole number, ties to even
  const float zero = (-low * inverse + 0x1p23f) - 0x1p23f;
  return {span / steps, inverse, static_cast<int32_t>(zero)};
}

FEWBITS_INLINE size_t part(size_t n, size_t i) {  // of n values, those in register i
  const size_t from = i * Lanes::width;
  return n <= from ? 0 : n - from < Lanes::width ? n - from : Lanes::width;
}

FEWBITS_INLINE V load_part(const float* x, size_t n, size_t i) {
  const size_t some = part(n, i);
  return some == 0 ? Lanes::zero() : Lanes::load_some(x + i * Lanes::width, some);
}

template <typename Each>
FEWBITS_INLINE Codes::B codes_of(const Each& each, int32_t zero) {
  return Codes::pack(each(0), each(1), each(2), each(3), zero);
}

// A row's values as they are, or times one factor per input.
struct Plain {
  const float* x;
  inline __attribute__((always_inline)) V load(size_t i) const { return Lanes::load(x + i); }
  inline __attribute__((always_inline)) V some(size_t i, size_t n, size_t k) const {
    return load_part(x + i, n, k);
  }
};

struct Scaled {
  const float *x, *factor;
  inline __attribute__((always_inline)) V load(size_t i) const {
    return Lanes::mul(Lanes::load(x + i), Lanes::load(factor + i));
  }
  inline __attribute__((always_inline)) V some(size_t i, size_t n, size_t k) const {
    return Lanes::mul(load_part(x + i, n, k), load_part(factor + i, n, k));
  }
};

template <typename Values>
inline Range range_of(const Values& values, size_t width) {
  Range range;
  size_t i = 0;
  for (; i + step <= width; i += step) {
    for (size_t k = 0; k < 4; ++k) Range::add(range, values.load(i + k * Lanes::width), k);
  }
  if (i < width) {
    for (size_t k = 0; k < 4; ++k) Range::add(range, values.some(i, width - i, k), k);
  }
  return range;
}

template <typename Values>
inline void write_codes(const Values& values, size_t width, const Scaling& scaling,
                        uint8_t* codes) {
  const V inverse = Lanes::set(scaling.inverse);
  size_t i = 0;
  for (; i + step <= width; i += step) {
    const auto each = [&](size_t k) {
      return Lanes::mul(values.load(i + k * Lanes::width), inverse);
    };
    Codes::store(codes + i, codes_of(each, scaling.zero));
  }
  if (i < width) {
    const auto each = [&](size_t k) { return Lanes::mul(values.some(i, width - i, k), inverse); };
    Codes::store_some(codes + i, codes_of(each, scaling.zero), width - i);
  }
}

template <typename Values>
inline Row quantize_row(const Values& values, size_t width, bool symmetric, uint8_t* codes) {
  const Scaling scaling = scaling_of(range_of(values, width), symmetric);
  write_codes(values, width, scaling, codes);
  return {scaling.scale, scaling.zero};
}

void quantize_rows(const float* x, size_t rows, size_t width, size_t stride, const float* factor,
                   bool symmetric, uint8_t* codes, size_t code_stride, Row* out) {
  for (size_t r = 0; r < rows; ++r, x += stride, codes += code_stride) {
    out[r] = factor == nullptr ? quantize_row(Plain{x}, width, symmetric, codes)
                               : quantize_row(Scaled{x, factor}, width, symmetric, codes);
  }
}

void quantize_fixed(const float* x, size_t rows, size_t width, size_t stride,
                    const float* inverse, int32_t zero, uint8_t* codes, size_t code_stride,
                    Ends& ends) {
  Codes::Tally tally;
  const V most = Lanes::set(0x1p20f);  // the greatest products would not fit an integer
  for (size_t r = 0; r < rows; ++r, x += stride, codes += code_stride) {
    size_t i = 0;
    for (; i + step <= width; i += step) {
      const auto each = [&](size_t k) {
        const size_t at = i + k * Lanes::width;
        return Lanes::min(Lanes::mul(Lanes::load(x + at), Lanes::load(inverse + at)), most);
      };
      const Codes::B made = codes_of(each, zero);
      Codes::store(codes + i, made);
      tally.add(made);
    }
    if (i < width) {
      const auto each = [&](size_t k) {
        return Lanes::min(Lanes::mul(load_part(x + i, width - i, k),
                                     load_part(inverse + i, width - i, k)), most);
      };
      const Codes::B made = codes_of(each, zero);
      Codes::store_some(codes + i, made, width - i);
      tally.add_some(made, width - i);
    }
  }
  ends.count += rows * width;
  tally.to(ends);
}
