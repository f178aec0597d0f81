#include "epilogue.h"

#include <cstring>

namespace fewbits {

void epilogue_scalar(const uint8_t* rows, size_t n, size_t stride, const Factors& factors, float t,
                     float gamma, float* values) {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* at = rows + i * stride + factors.offset;
    float score = values[i];
    float factor;
    if (factors.alpha) {
      std::memcpy(&factor, at, sizeof factor);
      at += sizeof factor;
      score = score * factor;
    }
    if (factors.beta) {
      std::memcpy(&factor, at, sizeof factor);
      at += sizeof factor;
      const float term = factor * t;
      score = score + term;
    }
    if (factors.nu) {
      std::memcpy(&factor, at, sizeof factor);
      score = score - factor;
    }
    values[i] = score + gamma;
  }
}

}  // namespace fewbits
