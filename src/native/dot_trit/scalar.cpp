#include "dot_trit.h"

namespace fewbits {

void dot_trit_scalar(const uint8_t* rows, size_t n, size_t stride, size_t d,
                     const QueryView& query, float* out) {
  const size_t bytes = (d + 4) / 5;
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* row = rows + i * stride;
    int32_t raw[2] = {0, 0};
    for (int p = 0; p < query.planes; ++p) {
      for (size_t b = 0; b < bytes; ++b) {
        uint8_t v = row[b];
        for (size_t k = 0; k < 5; ++k) {
          raw[p] += ((v * 3) >> 8) * query.plane[p][k * query.sub + b];
          v = static_cast<uint8_t>(v * 3);
        }
      }
    }
    out[i] = finish_dot(query, raw);
  }
}

}  // namespace fewbits
