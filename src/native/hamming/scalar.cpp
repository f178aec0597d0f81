#include "hamming.h"

namespace fewbits {

void hamming_scalar(const uint8_t* rows, size_t n, size_t stride, size_t d,
                    const QueryView& query, float* out) {
  const size_t bytes = (d + 7) / 8;
  for (size_t i = 0; i < n; ++i) {
    uint32_t differences = 0;
    for (size_t b = 0; b < bytes; ++b) {
      const uint8_t other = static_cast<uint8_t>(query.plane[0][b]);
      differences += static_cast<uint32_t>(__builtin_popcount(rows[i * stride + b] ^ other));
    }
    out[i] = finish_hamming(query, d, differences);
  }
}

}  // namespace fewbits
