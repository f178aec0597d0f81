#include "dot_f16.h"

#include <cstring>

namespace fewbits {
namespace {

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u) return from_bits(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  if (magnitude >= 0x400u) return from_bits(sign | ((magnitude << 13) + 0x38000000u));
  // Denormal: magnitude * 2^-24, exact in float32.
  const float value = static_cast<float>(magnitude) * 5.9604644775390625e-08f;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return from_bits(sign | bits);
}

uint16_t float_to_half(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude < 0x38800000u) {
    // Below 2^-14: adding 0.5 leaves the half's denormal bits, rounded to even, at the bottom.
    const float shifted = from_bits(magnitude) + 0.5f;
    uint32_t rounded;
    std::memcpy(&rounded, &shifted, sizeof rounded);
    return static_cast<uint16_t>(sign | (rounded - 0x3f000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  const uint32_t rounded = magnitude + 0xfffu + odd;
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

void dot_f16_scalar(const uint8_t* rows, size_t n, size_t stride, size_t d,
                    const QueryView& query, float* out) {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* row = rows + i * stride;
    float lanes[16] = {0};
    for (size_t j = 0; j < d; ++j) {
      uint16_t half;
      std::memcpy(&half, row + 2 * j, sizeof half);
      const float product = half_to_float(half) * query.dense[j];
      lanes[j % 16] = lanes[j % 16] + product;
    }
    for (size_t step = 8; step > 0; step /= 2) {
      for (size_t j = 0; j < step; ++j) lanes[j] = lanes[j] + lanes[j + step];
    }
    out[i] = lanes[0];
  }
}

}  // namespace fewbits
