#include "gemm_f32.h"

#include <immintrin.h>

#include <utility>

namespace fewbits::encoder {
namespace {

#include "../lanes/avx512.h"

// 6 x 4 sums, 4 registers of weights and one value of a row.
constexpr size_t tile_rows = 6;
constexpr size_t tile_panels(size_t) { return 4; }

inline void prefetch(const void* at) {
  _mm_prefetch(static_cast<const char*>(at), _MM_HINT_T0);
}

inline __m256i halves(const uint8_t* at) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(at));
}

template <Element element>
struct Form;

template <>
struct Form<Element::f32> {
  static constexpr size_t inputs = 1, bytes = 64, next = 0;

  template <size_t>
  static __m512 load(const uint8_t* at) {
    return _mm512_load_ps(at);
  }
};

template <>
struct Form<Element::f16> {
  static constexpr size_t inputs = 1, bytes = 32, next = 0;

  template <size_t>
  static __m512 load(const uint8_t* at) {
    return _mm512_cvtph_ps(halves(at));
  }
};

template <>
struct Form<Element::bf16> {
  static constexpr size_t inputs = 1, bytes = 32, next = 0;

  template <size_t>
  static __m512 load(const uint8_t* at) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves(at)), 16));
  }
};

template <>
struct Form<Element::i8> {
  static constexpr size_t inputs = 4, bytes = 64, next = 0;

  template <size_t s>
  static __m512 load(const uint8_t* at) {
    const __m512i codes = _mm512_load_si512(at);
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(codes, 24 - 8 * s), 24));
  }
};

#include "body.h"

}  // namespace

void gemm_f32_avx512(const float* a, size_t m, size_t a_stride, const WeightsFloat& w,
                     size_t first_panel, size_t last_panel, float* out, size_t out_stride) {
  gemm({a, m, a_stride, w, out, out_stride}, first_panel, last_panel);
}

}  // namespace fewbits::encoder
