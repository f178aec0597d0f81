#include "gemm_u8.h"

#include <algorithm>

namespace fewbits::encoder {

void gemm_u8_scalar(const uint8_t* a, size_t m, size_t a_stride, const Row* rows,
                    const WeightsI8& w, size_t first_panel, size_t last_panel, float* out,
                    size_t out_stride) {
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = first_panel * panel; j < std::min(last_panel * panel, w.n); ++j) {
      const int8_t* codes = w.codes + j / panel * quads(w.k) * 64 + j % panel * 4;
      int32_t sum = 0;
      for (size_t x = 0; x < w.k; ++x) {
        sum += (a[i * a_stride + x] - rows[i].zero) * codes[x / 4 * 64 + x % 4];
      }
      const float scaled = static_cast<float>(sum) * (rows[i].scale * w.scale[j]);
      out[i * out_stride + j] = scaled + w.bias[j];
    }
  }
}

}  // namespace fewbits::encoder
