// avx2.h - 8 floats in a register.
// Include inside an anonymous namespace after immintrin.h.

#define FEWBITS_INLINE static inline __attribute__((always_inline))

struct Lanes {
  using V = __m256;
  static constexpr size_t width = 8;

  FEWBITS_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
  FEWBITS_INLINE V load_some(const float* p, size_t n) { return _mm256_maskload_ps(p, first(n)); }
  FEWBITS_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
  FEWBITS_INLINE void store_some(float* p, V v, size_t n) { _mm256_maskstore_ps(p, first(n), v); }
  FEWBITS_INLINE V set(float x) { return _mm256_set1_ps(x); }
  FEWBITS_INLINE V zero() { return _mm256_setzero_ps(); }

  FEWBITS_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
  FEWBITS_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  FEWBITS_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  FEWBITS_INLINE V div(V a, V b) { return _mm256_div_ps(a, b); }
  FEWBITS_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  FEWBITS_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
  FEWBITS_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
  FEWBITS_INLINE float sum(V v) { return fold<add>(v); }
  FEWBITS_INLINE float top(V v) { return fold<max>(v); }
  FEWBITS_INLINE float bottom(V v) { return fold<min>(v); }
  FEWBITS_INLINE V round(V v) {  // ties to even
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

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
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    const V out = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
    return _mm256_andnot_ps(_mm256_cmp_ps(x, set(-87.3f), _CMP_LT_OQ), out);
  }

 private:
  // All bits of the first n lanes.
  FEWBITS_INLINE __m256i first(size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
  }

  template <V (*op)(V, V)>
  FEWBITS_INLINE float fold(V v) {
    v = op(v, _mm256_permute2f128_ps(v, v, 0x01));
    v = op(v, _mm256_permute_ps(v, 0x4e));
    return _mm256_cvtss_f32(op(v, _mm256_permute_ps(v, 0xb1)));
  }
};

#undef FEWBITS_INLINE
