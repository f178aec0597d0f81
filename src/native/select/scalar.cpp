#include "select.h"

namespace fewbits {

size_t select_scalar(const float* scores, size_t n, float threshold, uint16_t* out) {
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    out[count] = static_cast<uint16_t>(i);
    count += !(scores[i] < threshold);
  }
  return count;
}

}  // namespace fewbits
