#include <immintrin.h>

#include "rows.h"

namespace fewbits::encoder {
namespace {

#include "../lanes/avx512.h"
#include "gelu_table.h"

#define FEWBITS_INLINE static inline __attribute__((always_inline))

// The first n of 64 bytes or 16 lanes.
FEWBITS_INLINE __mmask64 first(size_t n) {
  return n < 64 ? (__mmask64{1} << n) - 1 : ~__mmask64{0};
}

struct Codes {
  using B = __m512i;

  // Four registers' lanes interleave in fours: the last step puts them in order.
  FEWBITS_INLINE B pack(__m512 v0, __m512 v1, __m512 v2, __m512 v3, int32_t zero) {
    const __m512i shift = _mm512_set1_epi16(static_cast<int16_t>(zero));
    const __m512i a = _mm512_packs_epi32(_mm512_cvtps_epi32(v0), _mm512_cvtps_epi32(v1));
    const __m512i b = _mm512_packs_epi32(_mm512_cvtps_epi32(v2), _mm512_cvtps_epi32(v3));
    const __m512i bytes =
        _mm512_packus_epi16(_mm512_adds_epi16(a, shift), _mm512_adds_epi16(b, shift));
    const __m512i order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, bytes);
  }
  FEWBITS_INLINE void store(uint8_t* p, B codes) { _mm512_storeu_si512(p, codes); }
  FEWBITS_INLINE void store_some(uint8_t* p, B codes, size_t n) {
    _mm512_mask_storeu_epi8(p, first(4 * quads(n)), _mm512_maskz_mov_epi8(first(n), codes));
  }

  struct Tally {
    uint64_t low = 0, high = 0;
    B least = _mm512_set1_epi8(-1), most = _mm512_setzero_si512();

    inline __attribute__((always_inline)) void add(B codes) {
      low += static_cast<uint64_t>(__builtin_popcountll(_mm512_testn_epi8_mask(codes, codes)));
      high += static_cast<uint64_t>(
          __builtin_popcountll(_mm512_cmpeq_epi8_mask(codes, _mm512_set1_epi8(-1))));
      least = _mm512_min_epu8(least, codes);
      most = _mm512_max_epu8(most, codes);
    }
    inline void add_some(B codes, size_t n) {
      const __mmask64 some = first(n);
      low += static_cast<uint64_t>(
          __builtin_popcountll(_mm512_mask_testn_epi8_mask(some, codes, codes)));
      high += static_cast<uint64_t>(
          __builtin_popcountll(_mm512_mask_cmpeq_epi8_mask(some, codes, _mm512_set1_epi8(-1))));
      least = _mm512_mask_min_epu8(least, some, least, codes);
      most = _mm512_mask_max_epu8(most, some, most, codes);
    }
    inline void to(Ends& ends) const {
      uint8_t down[64], up[64];
      _mm512_storeu_si512(down, least);
      _mm512_storeu_si512(up, most);
      for (int i = 0; i < 64; ++i) {
        ends.least = down[i] < ends.least ? down[i] : ends.least;
        ends.most = up[i] > ends.most ? up[i] : ends.most;
      }
      ends.low += low;
      ends.high += high;
    }
  };
};

// Coefficients by the low five bits of |x| / step + 1.5 * 2^23.
struct Gelu {
  FEWBITS_INLINE __m512 of(__m512 x) {
    constexpr int least_size = 0b1010;  // of both operands' absolute values the lesser, positive
    const __m512 a = _mm512_range_ps(x, _mm512_set1_ps(GeluTable::last), least_size);
    const __m512i at = _mm512_castps_si512(_mm512_fmadd_ps(
        a, _mm512_set1_ps(GeluTable::inverse_step), _mm512_set1_ps(0x1.8p23f)));
    __m512 t = coefficient(3, at);
    t = _mm512_fmadd_ps(t, a, coefficient(2, at));
    t = _mm512_fmadd_ps(t, a, coefficient(1, at));
    t = _mm512_fmadd_ps(t, a, coefficient(0, at));
    return _mm512_sub_ps(_mm512_max_ps(x, _mm512_setzero_ps()), t);
  }
  FEWBITS_INLINE __m512 coefficient(int power, __m512i at) {
    return _mm512_permutex2var_ps(_mm512_load_ps(GeluTable::c[power]), at,
                                  _mm512_load_ps(GeluTable::c[power] + 16));
  }
};

struct FromF16 {
  static constexpr size_t bytes = 2;
  FEWBITS_INLINE __m512 load(const char* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  FEWBITS_INLINE __m512 load_some(const char* p, size_t n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(static_cast<__mmask16>(first(n)), p));
  }
};

struct FromBf16 {
  static constexpr size_t bytes = 2;
  FEWBITS_INLINE __m512 widen(__m256i v) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
  }
  FEWBITS_INLINE __m512 load(const char* p) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  FEWBITS_INLINE __m512 load_some(const char* p, size_t n) {
    return widen(_mm256_maskz_loadu_epi16(static_cast<__mmask16>(first(n)), p));
  }
};

struct FromI8 {
  static constexpr size_t bytes = 1;
  FEWBITS_INLINE __m512 widen(__m128i v) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(v)); }
  FEWBITS_INLINE __m512 load(const char* p) {
    return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  FEWBITS_INLINE __m512 load_some(const char* p, size_t n) {
    return widen(_mm_maskz_loadu_epi8(static_cast<__mmask16>(first(n)), p));
  }
};

#include "body.h"
#include "quantize.h"
#include "gates.h"
#include "activate.h"

}  // namespace

constinit const RowSteps rows_avx512 = {lookup,        add_norm,          activate,
                                        quantize_rows, activate_quantize, quantize_fixed};

}  // namespace fewbits::encoder
