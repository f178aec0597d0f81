#include "pool.h"

#include <algorithm>
#include <cmath>

namespace fewbits::encoder {
namespace {

// out = sum of weight(i) * rows[i], i from `skip` on.
template <typename Weight>
void add_up(const float* rows, size_t length, size_t width, size_t skip, const Weight& weight,
            float* out) {
  std::fill_n(out, width, 0.0f);
  for (size_t i = skip; i < length; ++i) {
    const float w = weight(i);
    for (size_t c = 0; c < width; ++c) out[c] += w * rows[i * width + c];
  }
}

void divide(float* out, size_t width, float by) {
  for (size_t c = 0; c < width; ++c) out[c] /= by;
}

void largest(const float* rows, size_t length, size_t width, size_t skip, float* out) {
  std::copy_n(rows + skip * width, width, out);
  for (size_t i = skip + 1; i < length; ++i) {
    for (size_t c = 0; c < width; ++c) out[c] = std::max(out[c], rows[i * width + c]);
  }
}

float weight_sum(size_t length, size_t skip) {
  float sum = 0;
  for (size_t i = skip; i < length; ++i) sum += static_cast<float>(i + 1);
  return sum;
}

void pool_one(Pool mode, const float* rows, size_t length, size_t width, size_t skip, float* out) {
  const auto kept = static_cast<float>(length - skip);
  const auto one = [](size_t) { return 1.0f; };
  const auto place = [](size_t i) { return static_cast<float>(i + 1); };
  switch (mode) {
    case Pool::cls:
      std::copy_n(rows + skip * width, width, out);
      return;
    case Pool::last:
      std::copy_n(rows + (length - 1) * width, width, out);
      return;
    case Pool::max:
      largest(rows, length, width, skip, out);
      return;
    case Pool::weighted:
      add_up(rows, length, width, skip, place, out);
      divide(out, width, weight_sum(length, skip));
      return;
    case Pool::mean:
      add_up(rows, length, width, skip, one, out);
      divide(out, width, kept);
      return;
    case Pool::mean_sqrt:
      add_up(rows, length, width, skip, one, out);
      divide(out, width, std::sqrt(kept));
      return;
  }
}

}  // namespace

void pool(const std::vector<Pool>& modes, const float* rows, size_t length, size_t width,
          size_t skip, float* out) {
  for (const Pool mode : modes) {
    if (skip < length) {
      pool_one(mode, rows, length, width, skip, out);
    } else {
      std::fill_n(out, width, 0.0f);
    }
    out += width;
  }
}

}  // namespace fewbits::encoder
