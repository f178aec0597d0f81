#include "gemm_f32.h"

#include <arm_neon.h>

#include <utility>

namespace fewbits::encoder {
namespace {

#include "../lanes/neon.h"

// 6 x 4 sums, 4 registers of weights and one value of a row; fewer rows leave room for panels, and
// need their independent chains.
constexpr size_t tile_rows = 6;
constexpr size_t tile_panels(size_t rows) { return rows == 1 ? 4 : rows <= 3 ? 2 : 1; }

inline void prefetch(const void* at) { __builtin_prefetch(at); }

inline uint16x4_t halves(const uint8_t* at) {
  return vld1_u16(reinterpret_cast<const uint16_t*>(at));
}

template <Element element>
struct Form;

template <>
struct Form<Element::f32> {
  static constexpr size_t inputs = 1, bytes = 64, next = 16;

  template <size_t>
  static float32x4_t load(const uint8_t* at) {
    return vld1q_f32(reinterpret_cast<const float*>(at));
  }
};

template <>
struct Form<Element::f16> {
  static constexpr size_t inputs = 1, bytes = 32, next = 8;

  template <size_t>
  static float32x4_t load(const uint8_t* at) {
    return vcvt_f32_f16(vreinterpret_f16_u16(halves(at)));
  }
};

template <>
struct Form<Element::bf16> {
  static constexpr size_t inputs = 1, bytes = 32, next = 8;

  template <size_t>
  static float32x4_t load(const uint8_t* at) {
    return vreinterpretq_f32_u32(vshll_n_u16(halves(at), 16));
  }
};

template <>
struct Form<Element::i8> {
  static constexpr size_t inputs = 4, bytes = 64, next = 16;

  template <size_t s>
  static float32x4_t load(const uint8_t* at) {
    const int32x4_t codes = vld1q_s32(reinterpret_cast<const int32_t*>(at));
    return vcvtq_f32_s32(vshrq_n_s32(vshlq_n_s32(codes, 24 - 8 * s), 24));
  }
};

#include "body.h"

}  // namespace

void gemm_f32_neon(const float* a, size_t m, size_t a_stride, const WeightsFloat& w,
                   size_t first_panel, size_t last_panel, float* out, size_t out_stride) {
  gemm({a, m, a_stride, w, out, out_stride}, first_panel, last_panel);
}

}  // namespace fewbits::encoder
