// kept.h - small arrays that a model owns: padded copies, channel sums, copies that lie better.
#pragma once
#include <algorithm>
#include <deque>
#include <vector>

#include "workspace.h"

namespace fewbits::encoder {

class Kept {
 public:
  // A copy of `size` values, zeros up to whole panels of n.
  const float* keep(const float* values, size_t size, size_t n) {
    std::vector<float>& kept = floats_.emplace_back(panels(n) * panel, 0.0f);
    std::copy_n(values, size, kept.begin());
    return kept.data();
  }

  // The bytes themselves where they start a cache line, else a copy that does.
  const void* aligned(const uint8_t* values, size_t size) {
    if (reinterpret_cast<uintptr_t>(values) % 64 == 0) return values;
    uint8_t* copy = copies_.emplace_back().reserve(size);
    std::copy_n(values, size, copy);
    return copy;
  }

  // The sum of each channel's codes.
  const int32_t* sums_of(const int8_t* codes, size_t n, size_t k) {
    std::vector<int32_t>& sums = sums_.emplace_back(panels(n) * panel, 0);
    const size_t block = quads(k) * 4 * panel;
    for (size_t p = 0; p < panels(n); ++p) {
      for (size_t q = 0; q < quads(k); ++q) {
        for (size_t j = 0; j < 4 * panel; ++j) {
          sums[p * panel + j / 4] += codes[p * block + q * 4 * panel + j];
        }
      }
    }
    return sums.data();
  }

 private:
  std::deque<std::vector<float>> floats_;
  std::deque<std::vector<int32_t>> sums_;
  std::deque<Aligned<uint8_t>> copies_;
};

}  // namespace fewbits::encoder
