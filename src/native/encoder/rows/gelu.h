// gelu.h - x Phi(x) for levels without wide tables.
// Include inside an anonymous namespace, after gates.h.
//
// Phi(x) = (1 + tanh(y)) / 2 = 1 / (1 + e^-2y), y = x P(x^2): P of degree 6 is a minimax fit to
// artanh(erf(x / sqrt(2))) / x on |x| <= 5.9; beyond, y keeps growing. Absolute error 2e-7 |x|.

struct Gelu {
  FEWBITS_INLINE V of(V x) {
    constexpr float p[7] = {-1.59576988f,    -7.26659223e-2f, 6.47489578e-5f, 1.10855719e-4f,
                            -7.98292240e-6f, 2.69381871e-7f,  -3.66284292e-9f};
    const V square = Lanes::mul(x, x);
    V y = Lanes::set(p[6]);
    for (int k = 5; k >= 0; --k) y = Lanes::fma(y, square, Lanes::set(p[k]));
    return gated(x, Lanes::mul(y, x));
  }
};
