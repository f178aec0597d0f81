// activate.h - activations of rows, alone and with the quantizer behind them.
// Include inside an anonymous namespace, after quantize.h, gates.h and the level's Gelu.

// out = f(x), in place; see(value, slot below 4) of every register.
template <typename F, typename See>
FEWBITS_INLINE void walk(float* x, size_t width, const See& see) {
  const auto one = [&](float* at, size_t slot) {
    const V value = F::of(Lanes::load(at));
    Lanes::store(at, value);
    see(value, slot);
  };
  size_t i = 0;
  for (; i + step <= width; i += step) {
    for (size_t k = 0; k < 4; ++k) one(x + i + k * Lanes::width, k);
  }
  for (; i + Lanes::width <= width; i += Lanes::width) one(x + i, 0);
  if (i < width) {
    const V value = F::of(Lanes::load_some(x + i, width - i));  // f(0) = 0 in the other lanes
    Lanes::store_some(x + i, value, width - i);
    see(value, 1);
  }
}

template <typename F>
void activate_rows(float* x, size_t rows, size_t width, size_t stride) {
  for (size_t r = 0; r < rows; ++r) walk<F>(x + r * stride, width, [](V, size_t) {});
}

template <typename F>
void activate_codes(float* x, size_t rows, size_t width, size_t stride, const float* factor,
                    bool symmetric, uint8_t* codes, size_t code_stride, Row* out) {
  for (size_t r = 0; r < rows; ++r, x += stride, codes += code_stride) {
    if (factor != nullptr) {
      walk<F>(x, width, [](V, size_t) {});
      out[r] = quantize_row(Scaled{x, factor}, width, symmetric, codes);
      continue;
    }
    Range range;
    walk<F>(x, width, [&](V v, size_t slot) { Range::add(range, v, slot); });
    const Scaling scaling = scaling_of(range, symmetric);
    out[r] = {scaling.scale, scaling.zero};
    write_codes(Plain{x}, width, scaling, codes);
  }
}

void activate(Activation kind, float* x, size_t rows, size_t width, size_t stride) {
  switch (kind) {
    case Activation::gelu: return activate_rows<Gelu>(x, rows, width, stride);
    case Activation::gelu_tanh: return activate_rows<GeluTanh>(x, rows, width, stride);
    case Activation::relu: return activate_rows<Relu>(x, rows, width, stride);
    case Activation::silu: return activate_rows<Silu>(x, rows, width, stride);
    case Activation::tanh: return activate_rows<Tanh>(x, rows, width, stride);
  }
}

void activate_quantize(Activation kind, float* x, size_t rows, size_t width, size_t stride,
                       const float* factor, bool symmetric, uint8_t* codes, size_t code_stride,
                       Row* out) {
  const auto run = [&](auto&& all) {
    all(x, rows, width, stride, factor, symmetric, codes, code_stride, out);
  };
  switch (kind) {
    case Activation::gelu: return run(activate_codes<Gelu>);
    case Activation::gelu_tanh: return run(activate_codes<GeluTanh>);
    case Activation::relu: return run(activate_codes<Relu>);
    case Activation::silu: return run(activate_codes<Silu>);
    case Activation::tanh: return run(activate_codes<Tanh>);
  }
}
