// neon.h - 4 floats in a register.
// Include inside an anonymous namespace after arm_neon.h.

#define FEWBITS_INLINE static inline __attribute__((always_inline))

struct Lanes {
  using V = float32x4_t;
  static constexpr size_t width = 4;

  FEWBITS_INLINE V load(const float* p) { return vld1q_f32(p); }
  FEWBITS_INLINE V load_some(const float* p, size_t n) {
    float copy[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < n; ++i) copy[i] = p[i];
    return vld1q_f32(copy);
  }
  FEWBITS_INLINE void store(float* p, V v) { vst1q_f32(p, v); }
  FEWBITS_INLINE void store_some(float* p, V v, size_t n) {
    float copy[4];
    vst1q_f32(copy, v);
    for (size_t i = 0; i < n; ++i) p[i] = copy[i];
  }
  FEWBITS_INLINE V set(float x) { return vdupq_n_f32(x); }
  FEWBITS_INLINE V zero() { return vdupq_n_f32(0); }

  FEWBITS_INLINE V add(V a, V b) { return vaddq_f32(a, b); }
  FEWBITS_INLINE V sub(V a, V b) { return vsubq_f32(a, b); }
  FEWBITS_INLINE V mul(V a, V b) { return vmulq_f32(a, b); }
  FEWBITS_INLINE V div(V a, V b) { return vdivq_f32(a, b); }
  FEWBITS_INLINE V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
  FEWBITS_INLINE V max(V a, V b) { return vmaxq_f32(a, b); }
  FEWBITS_INLINE V min(V a, V b) { return vminq_f32(a, b); }
  FEWBITS_INLINE float sum(V v) { return vaddvq_f32(v); }
  FEWBITS_INLINE float top(V v) { return vmaxvq_f32(v); }
  FEWBITS_INLINE float bottom(V v) { return vminvq_f32(v); }
  FEWBITS_INLINE V round(V v) { return vrndnq_f32(v); }  // ties to even

  // e^x for x <= 88.7, relative error <= 3e-7; 0 below -87.3.
  // x = n ln 2 + r, |r| <= ln 2 / 2; e^r by a minimax polynomial of degree 5.
  FEWBITS_INLINE V exp(V x) {
    const V shifted = fma(x, set(1.44269504f), set(0x1.8p23f));  // n stands in its low bits
    const V n = sub(shifted, set(0x1.8p23f));
    const V r = fma(n, set(1.90465421e-9f), fma(n, set(-0.693147182f), x));
    V p = fma(set(8.3125e-3f), r, set(4.189033e-2f));
    p = fma(p, r, set(1.6667115e-1f));
    p = fma(p, r, set(4.999923e-1f));
    p = fma(p, r, set(1.0f));
    p = fma(p, r, set(1.0f));
    const int32x4_t exponent = vshlq_n_s32(vreinterpretq_s32_f32(shifted), 23);
    const int32x4_t out = vaddq_s32(vreinterpretq_s32_f32(p), exponent);
    const uint32x4_t lost = vcltq_f32(x, set(-87.3f));
    return vreinterpretq_f32_s32(vbicq_s32(out, vreinterpretq_s32_u32(lost)));
  }
};

#undef FEWBITS_INLINE
