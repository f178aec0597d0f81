// sums.h - a register tile: rows of activations times panels of weights.
// Include inside an anonymous namespace, from body.h.

constexpr size_t per_panel = panel / Lanes::width;  // registers

#define FEWBITS_INLINE inline __attribute__((always_inline))

template <size_t v>
struct Number {
  static constexpr size_t value = v;
};

// f(Number<0>), f(Number<1>), ...
template <typename F, size_t... i>
FEWBITS_INLINE void each_number(std::index_sequence<i...>, const F& f) {
  (f(Number<i>()), ...);
}

// Panels in a row, `stride` bytes apart, from one input on.
struct Panels {
  const uint8_t* at;
  size_t stride;
};

template <size_t rows, size_t panels>
struct Sums {
  static constexpr size_t columns = panels * per_panel;
  static constexpr std::make_index_sequence<rows> every_row{};
  static constexpr std::make_index_sequence<columns> every_column{};

  Lanes::V at[rows][columns];

  template <typename F>  // f(row, column, place of the first lane)
  FEWBITS_INLINE void each_place(size_t stride, const F& f) {
    each_number(every_row, [&](auto r) __attribute__((always_inline)) {
      each_number(every_column, [&](auto c) __attribute__((always_inline)) {
        f(at[r.value][c.value], r.value * stride + c.value * Lanes::width);
      });
    });
  }
  FEWBITS_INLINE void clear() {
    each_place(0, [](Lanes::V& sum, size_t) { sum = Lanes::zero(); });
  }
  FEWBITS_INLINE void load(const float* from, size_t stride) {
    each_place(stride, [&](Lanes::V& sum, size_t place) { sum = Lanes::load(from + place); });
  }
  FEWBITS_INLINE void store(float* to, size_t stride) {
    each_place(stride, [&](Lanes::V& sum, size_t place) { Lanes::store(to + place, sum); });
  }

  // += a[., s] * the weights of input s of the fetch.
  template <Element element, size_t s>
  FEWBITS_INLINE void add(const float* a, size_t a_stride, const Panels& w) {
    using F = Form<element>;
    Lanes::V weights[columns];
    each_number(every_column, [&](auto c) __attribute__((always_inline)) {
      constexpr size_t p = c.value / per_panel, part = c.value % per_panel;
      weights[c.value] = F::template load<s>(w.at + p * w.stride + part * F::next);
    });
    each_number(every_row, [&](auto r) __attribute__((always_inline)) {
      const Lanes::V value = Lanes::set(a[r.value * a_stride + s]);
      each_number(every_column, [&](auto c) __attribute__((always_inline)) {
        Lanes::V& sum = at[r.value][c.value];
        sum = Lanes::fma(value, weights[c.value], sum);
      });
    });
  }

  // The outputs; scale is null unless the weights are codes.
  FEWBITS_INLINE void finish(const float* scale, const float* bias) {
    each_number(every_column, [&](auto c) __attribute__((always_inline)) {
      const Lanes::V shift = Lanes::load(bias + c.value * Lanes::width);
      if (scale == nullptr) {
        each_number(every_row, [&](auto r) __attribute__((always_inline)) {
          at[r.value][c.value] = Lanes::add(at[r.value][c.value], shift);
        });
      } else {
        const Lanes::V factor = Lanes::load(scale + c.value * Lanes::width);
        each_number(every_row, [&](auto r) __attribute__((always_inline)) {
          at[r.value][c.value] = Lanes::fma(at[r.value][c.value], factor, shift);
        });
      }
    });
  }
};

// Adds `count` inputs. Every fetch asks for one line of each of `ahead_panels` panels at `ahead`,
// which moves on by `ahead_step` bytes.
template <Element element, size_t ahead_panels, size_t ahead_step, size_t rows, size_t panels>
FEWBITS_INLINE void add_inputs(Sums<rows, panels>& sums, const float* a, size_t a_stride, Panels w,
                               Panels ahead, size_t count) {
  using F = Form<element>;
  constexpr std::make_index_sequence<F::inputs> inputs{};
  size_t i = 0;
  for (; i + F::inputs <= count; i += F::inputs) {
    each_number(std::make_index_sequence<ahead_panels>(), [&](auto p)
                __attribute__((always_inline)) { prefetch(ahead.at + p.value * ahead.stride); });
    each_number(inputs, [&](auto s) __attribute__((always_inline)) {
      sums.template add<element, s.value>(a + i, a_stride, w);
    });
    w.at += F::bytes;
    ahead.at += ahead_step;
  }
  each_number(inputs, [&](auto s) __attribute__((always_inline)) {
    if (i + s.value < count) sums.template add<element, s.value>(a + i, a_stride, w);
  });
}

#undef FEWBITS_INLINE
