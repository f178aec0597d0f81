// scalar.h - one float at a time, in the operations that the vector levels offer.
// Include inside an anonymous namespace.

struct Lanes {
  using V = float;
  static constexpr size_t width = 1;

  static V load(const float* p) { return *p; }
  static V load_some(const float* p, size_t n) { return n == 0 ? 0.0f : *p; }
  static void store(float* p, V v) { *p = v; }
  static void store_some(float* p, V v, size_t n) {
    if (n != 0) *p = v;
  }
  static V set(float x) { return x; }
  static V zero() { return 0; }

  static V add(V a, V b) { return a + b; }
  static V sub(V a, V b) { return a - b; }
  static V mul(V a, V b) { return a * b; }
  static V div(V a, V b) { return a / b; }
  static V fma(V a, V b, V c) { return a * b + c; }  // rounded twice
  static V max(V a, V b) { return a > b ? a : b; }
  static V min(V a, V b) { return a < b ? a : b; }
  static float sum(V v) { return v; }
  static float top(V v) { return v; }
  static float bottom(V v) { return v; }

  static V round(V v) {  // ties to even: beyond 2^23 every float is whole
    const V size = v < 0 ? -v : v, whole = (size + 0x1p23f) - 0x1p23f;
    return size < 0x1p23f ? (v < 0 ? -whole : whole) : v;
  }

  // e^x for x <= 88.7, relative error <= 3e-7; 0 below -87.3.
  // x = n ln 2 + r, |r| <= ln 2 / 2; e^r by a minimax polynomial of degree 6.
  static V exp(V x) {
    if (x < -87.3f) return 0;
    const V shifted = x * 1.44269504f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    const V r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    V p = 1.38145e-3f;
    p = p * r + 8.36875e-3f;
    p = p * r + 4.166839e-2f;
    p = p * r + 1.666652e-1f;
    p = p * r + 4.9999993e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t exponent, bits;
    __builtin_memcpy(&exponent, &shifted, 4);
    __builtin_memcpy(&bits, &p, 4);
    bits += exponent << 23;  // n stands in the low bits of `shifted`
    __builtin_memcpy(&p, &bits, 4);
    return p;
  }
};
