// bytes.h - numbers and scalars as they are stored. For the row steps of every level.
#pragma once
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../../dot_f16/dot_f16.h"
#include "rows.h"

namespace fewbits::trellis {
namespace {

// Codes of a run of width 6, 8 or 12, each an int32.
inline void pack_numbers(const Run& run, const int32_t* numbers, uint8_t* code) {
  uint8_t* at = code + run.byte;
  for (size_t j = 0; j < run.columns; j += group_columns) {
    uint64_t fields = 0, low = 0;
    for (size_t i = 0; i < group_columns; ++i) {
      const uint64_t number = static_cast<uint64_t>(numbers[j + i]);
      if (run.width == 6) fields |= number << 6 * i;
      if (run.width == 8) fields |= number << 8 * i;
      if (run.width == 12) fields |= (number >> 4) << 8 * i;
      low |= (number & 15) << 4 * i;
    }
    const size_t bytes = run.width == 6 ? 6 : 8;
    std::memcpy(at + j / 8 * bytes, &fields, bytes);
    if (run.width == 12) std::memcpy(code + run.low_byte + j / 2, &low, 4);
  }
}

// Returns what the stored bytes stand for.
inline double store_scalar(double value, float low, float step, size_t bytes, uint8_t* at) {
  if (bytes == 1) {
    const double number = std::rint((value - double{low}) / double{step});
    *at = static_cast<uint8_t>(std::clamp(number, 0.0, 255.0));
    return static_cast<float>(*at) * step + low;
  }
  if (bytes == 2) {
    const float scaled = static_cast<float>(value / double{step});
    const uint16_t half = float_to_half(std::clamp(scaled, -65504.0f, 65504.0f));
    std::memcpy(at, &half, sizeof half);
    return half_to_float(half) * step;
  }
  const float single = static_cast<float>(value);
  std::memcpy(at, &single, sizeof single);
  return single;
}

}  // namespace
}  // namespace fewbits::trellis
