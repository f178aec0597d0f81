// body.h - table rows and layer norms on one level's Lanes.
// Include inside an anonymous namespace, after the level's Lanes.
//
// From<element>::load(p) and load_some(p, n): values of a table, `bytes` apart, as floats; the
// lanes from n on are 0.

using V = Lanes::V;

template <typename From, typename Finish>
FEWBITS_INLINE void copy_row(const char* from, size_t width, float* x, const Finish& finish) {
  size_t i = 0;
  for (; i + Lanes::width <= width; i += Lanes::width) {
    Lanes::store(x + i, finish(From::load(from + i * From::bytes), [&] {
      return Lanes::load(x + i);
    }));
  }
  if (i < width) {
    const size_t left = width - i;
    const V value = finish(From::load_some(from + i * From::bytes, left), [&] {
      return Lanes::load_some(x + i, left);
    });
    Lanes::store_some(x + i, value, left);
  }
}

template <typename From, bool add>
void copy_rows(const Table& table, const int32_t* at, size_t rows, float* x, size_t stride) {
  const char* values = static_cast<const char*>(table.values);
  for (size_t r = 0; r < rows; ++r) {
    const size_t row = static_cast<size_t>(at[r]);
    const V scale = Lanes::set(From::bytes == 1 ? table.scale[row] : 1.0f);
    copy_row<From>(values + row * table.width * From::bytes, table.width, x + r * stride,
                   [&](V value, const auto& old) {
                     if (From::bytes == 1) value = Lanes::mul(scale, value);
                     return add ? Lanes::add(old(), value) : value;
                   });
  }
}

template <typename From>
void lookup_rows(const Table& table, const int32_t* at, size_t rows, bool add, float* x,
                 size_t stride) {
  if (add) return copy_rows<From, true>(table, at, rows, x, stride);
  copy_rows<From, false>(table, at, rows, x, stride);
}

struct FromF32 {
  static constexpr size_t bytes = 4;
  FEWBITS_INLINE V load(const char* p) {
    return Lanes::load(reinterpret_cast<const float*>(p));
  }
  FEWBITS_INLINE V load_some(const char* p, size_t n) {
    return Lanes::load_some(reinterpret_cast<const float*>(p), n);
  }
};

void lookup(const Table& table, const int32_t* at, size_t rows, bool add, float* x,
            size_t stride) {
  switch (table.element) {
    case Element::f32: return lookup_rows<FromF32>(table, at, rows, add, x, stride);
    case Element::f16: return lookup_rows<FromF16>(table, at, rows, add, x, stride);
    case Element::bf16: return lookup_rows<FromBf16>(table, at, rows, add, x, stride);
    case Element::i8: return lookup_rows<FromI8>(table, at, rows, add, x, stride);
  }
}

// Sums in four registers, register i of a row into sum i % 4. each(i) loads the values from i on,
// each_some(i, n) n of them and zeros.
template <typename Each, typename Some>
FEWBITS_INLINE float sum_over(size_t width, const Each& each, const Some& each_some) {
  V sum[4] = {Lanes::zero(), Lanes::zero(), Lanes::zero(), Lanes::zero()};
  size_t i = 0;
  for (; i + 4 * Lanes::width <= width; i += 4 * Lanes::width) {
    for (size_t k = 0; k < 4; ++k) sum[k] = each(i + k * Lanes::width, sum[k]);
  }
  for (; i + Lanes::width <= width; i += Lanes::width) sum[0] = each(i, sum[0]);
  if (i < width) sum[1] = each_some(i, width - i, sum[1]);
  return Lanes::sum(Lanes::add(Lanes::add(sum[0], sum[1]), Lanes::add(sum[2], sum[3])));
}

FEWBITS_INLINE float sum_row(const float* x, size_t width) {
  return sum_over(
      width, [&](size_t i, V sum) { return Lanes::add(sum, Lanes::load(x + i)); },
      [&](size_t i, size_t n, V sum) { return Lanes::add(sum, Lanes::load_some(x + i, n)); });
}

// x += residual; the sum of x.
FEWBITS_INLINE float add_row(float* x, const float* residual, size_t width) {
  return sum_over(
      width,
      [&](size_t i, V sum) {
        const V value = Lanes::add(Lanes::load(x + i), Lanes::load(residual + i));
        Lanes::store(x + i, value);
        return Lanes::add(sum, value);
      },
      [&](size_t i, size_t n, V sum) {
        const V value = Lanes::add(Lanes::load_some(x + i, n), Lanes::load_some(residual + i, n));
        Lanes::store_some(x + i, value, n);
        return Lanes::add(sum, value);
      });
}

FEWBITS_INLINE float squares_about(float mean, const float* x, size_t width) {
  const V centre = Lanes::set(mean);
  const size_t whole = width / Lanes::width * Lanes::width;
  float rest = 0;  // the lanes that a tail leaves empty must not count mean^2
  for (size_t i = whole; i < width; ++i) rest += (x[i] - mean) * (x[i] - mean);
  return rest + sum_over(
      whole,
      [&](size_t i, V sum) {
        const V apart = Lanes::sub(Lanes::load(x + i), centre);
        return Lanes::fma(apart, apart, sum);
      },
      [](size_t, size_t, V sum) { return sum; });
}

void add_norm(float* x, const float* residual, size_t rows, size_t width, size_t stride,
              const Norm& norm) {
  const float share = 1 / static_cast<float>(width);
  for (size_t r = 0; r < rows; ++r, x += stride) {
    const float sum =
        residual == nullptr ? sum_row(x, width) : add_row(x, residual + r * stride, width);
    const float mean = sum * share;
    const float squares = squares_about(mean, x, width);
    const V inverse = Lanes::set(1 / __builtin_sqrtf(squares * share + norm.eps));
    const V centre = Lanes::set(mean);
    const auto scaled = [&](V v, V weight, V bias) {
      return Lanes::fma(Lanes::mul(Lanes::sub(v, centre), inverse), weight, bias);
    };
    size_t i = 0;
    for (; i + Lanes::width <= width; i += Lanes::width) {
      Lanes::store(x + i, scaled(Lanes::load(x + i), Lanes::load(norm.weight + i),
                                 Lanes::load(norm.bias + i)));
    }
    if (i < width) {
      const size_t n = width - i;
      const V v = scaled(Lanes::load_some(x + i, n), Lanes::load_some(norm.weight + i, n),
                         Lanes::load_some(norm.bias + i, n));
      Lanes::store_some(x + i, v, n);
    }
  }
}
