#include "gemm_f32.h"

#include <cstring>

#include "../../dot_f16/dot_f16.h"

namespace fewbits::encoder {
namespace {

// Weight (j, i) as a float32, without a channel's scale; exact.
float weight(const WeightsFloat& w, size_t j, size_t i) {
  const size_t at = ((j / panel) * w.k + i) * panel + j % panel;
  switch (w.element) {
    case Element::f32: return static_cast<const float*>(w.values)[at];
    case Element::f16: return half_to_float(static_cast<const uint16_t*>(w.values)[at]);
    case Element::bf16: {
      const uint32_t bits = uint32_t{static_cast<const uint16_t*>(w.values)[at]} << 16;
      float value;
      std::memcpy(&value, &bits, sizeof value);
      return value;
    }
    default:
      return static_cast<const int8_t*>(
          w.values)[((j / panel) * quads(w.k) + i / 4) * 64 + j % panel * 4 + i % 4];
  }
}

}  // namespace

void gemm_f32_scalar(const float* a, size_t m, size_t a_stride, const WeightsFloat& w,
                     size_t first_panel, size_t last_panel, float* out, size_t out_stride) {
  const size_t last = last_panel * panel < w.n ? last_panel * panel : w.n;
  for (size_t r = 0; r < m; ++r) {
    for (size_t j = first_panel * panel; j < last; ++j) {
      float sum = 0;
      for (size_t i = 0; i < w.k; ++i) sum += a[r * a_stride + i] * weight(w, j, i);
      if (w.element == Element::i8) sum *= w.scale[j];
      out[r * out_stride + j] = sum + w.bias[j];
    }
  }
}

}  // namespace fewbits::encoder
