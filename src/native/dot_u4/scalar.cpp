#include "dot_u4.h"

namespace fewbits {

void dot_u4_scalar(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  const size_t bytes = (d + 1) / 2;
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* row = rows + i * stride;
    int32_t raw[2] = {0, 0};
    for (int p = 0; p < query.planes; ++p) {
      const int8_t* even = query.plane[p];
      const int8_t* odd = even + query.sub;
      for (size_t b = 0; b < bytes; ++b) {
        raw[p] += (row[b] >> 4) * even[b] + (row[b] & 15) * odd[b];
      }
    }
    out[i] = finish_dot(query, raw);
  }
}

}  // namespace fewbits
