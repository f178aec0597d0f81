#include "dot_i8.h"

namespace fewbits {

void dot_i8_scalar(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* row = rows + i * stride;
    int32_t raw[2] = {0, 0};
    for (int p = 0; p < query.planes; ++p) {
      for (size_t j = 0; j < d; ++j) raw[p] += static_cast<int8_t>(row[j]) * query.plane[p][j];
    }
    out[i] = finish_dot(query, raw);
  }
}

}  // namespace fewbits
