// gates.h - activation functions by powers of e.
// Include inside an anonymous namespace, after the level's Lanes.

using V = Lanes::V;

// x / (1 + e^-y), -y > 88 only where the result is 0: e^88 is the last power of e that fits, and
// far below 0 even x / e^88 would not be small.
FEWBITS_INLINE V gated(V x, V minus_y) {
  const V power = Lanes::exp(Lanes::min(minus_y, Lanes::set(88.0f)));
  return Lanes::div(Lanes::max(x, Lanes::set(-1e30f)), Lanes::add(power, Lanes::set(1.0f)));
}

struct GeluTanh {
  FEWBITS_INLINE V of(V x) {  // (1 + tanh(y)) / 2 = 1 / (1 + e^-2y)
    const V inner = Lanes::fma(Lanes::mul(x, x), Lanes::set(-2 * 0.797884561f * 0.044715f),
                               Lanes::set(-2 * 0.797884561f));
    return gated(x, Lanes::mul(inner, x));
  }
};

struct Relu {
  FEWBITS_INLINE V of(V x) { return Lanes::max(x, Lanes::zero()); }
};

struct Silu {
  FEWBITS_INLINE V of(V x) { return gated(x, Lanes::sub(Lanes::zero(), x)); }
};

struct Tanh {
  FEWBITS_INLINE V of(V x) {  // 1 - 2 / (1 + e^2x)
    return Lanes::sub(Lanes::set(1.0f), gated(Lanes::set(2.0f), Lanes::add(x, x)));
  }
};
