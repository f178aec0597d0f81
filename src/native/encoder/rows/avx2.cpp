#include <immintrin.h>

#include "rows.h"

namespace fewbits::encoder {
namespace {

#include "../lanes/avx2.h"

#define FEWBITS_INLINE static inline __attribute__((always_inline))

#include "tally.h"

struct Codes {
  using B = __m256i;
  static constexpr size_t bytes = 32;

  // Four registers' lanes interleave in fours: the last step puts them in order.
  FEWBITS_INLINE B pack(__m256 v0, __m256 v1, __m256 v2, __m256 v3, int32_t zero) {
    const __m256i shift = _mm256_set1_epi16(static_cast<int16_t>(zero));
    const __m256i a = _mm256_packs_epi32(_mm256_cvtps_epi32(v0), _mm256_cvtps_epi32(v1));
    const __m256i b = _mm256_packs_epi32(_mm256_cvtps_epi32(v2), _mm256_cvtps_epi32(v3));
    const __m256i both =
        _mm256_packus_epi16(_mm256_adds_epi16(a, shift), _mm256_adds_epi16(b, shift));
    return _mm256_permutevar8x32_epi32(both, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  }
  FEWBITS_INLINE void store(uint8_t* p, B codes) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), codes);
  }
  FEWBITS_INLINE void store_some(uint8_t* p, B codes, size_t n) {
    uint8_t copy[bytes];
    store(copy, codes);
    store_bytes(p, copy, n);
  }
  FEWBITS_INLINE size_t equal(B a, B b) {
    const int bits = _mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b));
    return static_cast<size_t>(__builtin_popcount(static_cast<unsigned>(bits)));
  }
  FEWBITS_INLINE B set(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
  FEWBITS_INLINE B min(B a, B b) { return _mm256_min_epu8(a, b); }
  FEWBITS_INLINE B max(B a, B b) { return _mm256_max_epu8(a, b); }
  using Tally = TallyOf<Codes>;
};

struct FromF16 {
  static constexpr size_t bytes = 2;
  FEWBITS_INLINE __m256 load(const char* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  FEWBITS_INLINE __m256 load_some(const char* p, size_t n) { return load_copy<FromF16>(p, n); }
};

struct FromBf16 {
  static constexpr size_t bytes = 2;
  FEWBITS_INLINE __m256 load(const char* p) {
    const __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(eight), 16));
  }
  FEWBITS_INLINE __m256 load_some(const char* p, size_t n) { return load_copy<FromBf16>(p, n); }
};

struct FromI8 {
  static constexpr size_t bytes = 1;
  FEWBITS_INLINE __m256 load(const char* p) {
    const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
  }
  FEWBITS_INLINE __m256 load_some(const char* p, size_t n) { return load_copy<FromI8>(p, n); }
};

#include "body.h"
#include "quantize.h"
#include "gates.h"
#include "gelu.h"
#include "activate.h"

}  // namespace

constinit const RowSteps rows_avx2 = {lookup,        add_norm,          activate,
                                      quantize_rows, activate_quantize, quantize_fixed};

}  // namespace fewbits::encoder
