#include "dot_b1.h"

namespace fewbits {

void dot_b1_scalar(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  const size_t bytes = (d + 7) / 8;
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* row = rows + i * stride;
    int32_t raw[2] = {0, 0};
    for (int p = 0; p < query.planes; ++p) {
      const int8_t* plane = query.plane[p];
      for (size_t b = 0; b < bytes; ++b) {
        for (int bit = 0; bit < 8; ++bit) {
          raw[p] += ((row[b] >> bit) & 1) * plane[8 * b + static_cast<size_t>(bit)];
        }
      }
    }
    out[i] = finish_dot(query, raw);
  }
}

}  // namespace fewbits
