// avx512.h - 16 floats in a register.
// Include inside an anonymous namespace after immintrin.h.

#define FEWBITS_INLINE static inline __attribute__((always_inline))

alignas(64) constexpr float powers_of_two[32] = {  // 2^(j / 32)
    1.0f, 1.0218972f, 1.04427373f, 1.06714046f, 1.09050775f, 1.1143868f, 1.13878858f,
    1.1637249f, 1.18920708f, 1.21524739f, 1.24185777f, 1.26905096f, 1.29683959f, 1.32523668f,
    1.35425556f, 1.38390994f, 1.41421354f, 1.44518077f, 1.47682619f, 1.50916445f, 1.54221082f,
    1.5759809f, 1.61049032f, 1.64575553f, 1.68179286f, 1.71861935f, 1.75625217f, 1.79470909f,
    1.8340081f, 1.87416768f, 1.91520655f, 1.95714414f};

struct Lanes {
  using V = __m512;
  static constexpr size_t width = 16;

  FEWBITS_INLINE V load(const float* p) { return _mm512_loadu_ps(p); }
  FEWBITS_INLINE V load_some(const float* p, size_t n) {
    return _mm512_maskz_loadu_ps(first(n), p);
  }
  FEWBITS_INLINE void store(float* p, V v) { _mm512_storeu_ps(p, v); }
  FEWBITS_INLINE void store_some(float* p, V v, size_t n) {
    _mm512_mask_storeu_ps(p, first(n), v);
  }
  FEWBITS_INLINE V set(float x) { return _mm512_set1_ps(x); }
  FEWBITS_INLINE V zero() { return _mm512_setzero_ps(); }

  FEWBITS_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
  FEWBITS_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  FEWBITS_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  FEWBITS_INLINE V div(V a, V b) { return _mm512_div_ps(a, b); }
  FEWBITS_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  FEWBITS_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
  FEWBITS_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
  FEWBITS_INLINE float sum(V v) { return fold<add>(v); }
  FEWBITS_INLINE float top(V v) { return fold<max>(v); }
  FEWBITS_INLINE float bottom(V v) { return fold<min>(v); }
  FEWBITS_INLINE V round(V v) {  // ties to even
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

  // e^x for x <= 88.7, relative error <= 2.5e-7 from -30 on, 5e-7 before; 0 below -87.3:
  // results below the normal floats would take a hundred times as long.
  // x = m ln 2 / 32 + r, |r| <= ln 2 / 64; 2^(m % 32 / 32) from a table in two registers, e^r by a
  // minimax polynomial of degree 2.
  FEWBITS_INLINE V exp(V x) {
    const V shifted = fma(x, set(1.44269504f), set(0x1.8p18f));  // m stands in its low bits
    const V n = sub(shifted, set(0x1.8p18f));  // m / 32
    const V r = fma(n, set(-0.693147182f), x);
    const V power = _mm512_permutex2var_ps(_mm512_load_ps(powers_of_two),
                                           _mm512_castps_si512(shifted),
                                           _mm512_load_ps(powers_of_two + 16));
    const V p = mul(fma(r, set(0.5f), set(1.00001467f)), r);
    const __mmask16 normal = _mm512_cmp_ps_mask(x, set(-87.3f), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(normal, fma(p, power, power), n);  // takes n's floor
  }

 private:
  FEWBITS_INLINE __mmask16 first(size_t n) { return static_cast<__mmask16>((1u << n) - 1); }

  template <V (*op)(V, V)>
  FEWBITS_INLINE float fold(V v) {
    v = op(v, _mm512_shuffle_f32x4(v, v, 0x4e));
    v = op(v, _mm512_shuffle_f32x4(v, v, 0xb1));
    v = op(v, _mm512_permute_ps(v, 0x4e));
    return _mm512_cvtss_f32(op(v, _mm512_permute_ps(v, 0xb1)));
  }
};

#undef FEWBITS_INLINE
