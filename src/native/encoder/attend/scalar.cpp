#include "attend.h"

#include <cmath>

#include "room.h"

namespace fewbits::encoder {
namespace {

// out: the `length` scores of query t, their largest.
float scores(const Sequence& s, size_t head, size_t t, float* out) {
  const size_t stride = 3 * s.hidden;
  const float* query = s.qkv + t * stride + head * s.head_size;
  const float scale = 1 / std::sqrt(static_cast<float>(s.head_size));
  float top = -INFINITY;
  for (size_t u = 0; u < s.length; ++u) {
    const float* key = s.qkv + u * stride + s.hidden + head * s.head_size;
    float sum = 0;
    for (size_t d = 0; d < s.head_size; ++d) sum += query[d] * key[d];
    out[u] = sum * scale;
    if (s.bias != nullptr) out[u] += s.bias[head * (2 * s.length - 1) + u + s.length - 1 - t];
    if (out[u] > top) top = out[u];
  }
  return top;
}

}  // namespace

size_t attend_scratch(size_t length, size_t head_size) { return room_floats(length, head_size); }

void attend_scalar(const Sequence& s, size_t first, size_t last, float* context, float* scratch) {
  for (size_t head = first; head < last; ++head) {
    for (size_t t = 0; t < s.length; ++t) {
      const float top = scores(s, head, t, scratch);
      float total = 0;
      for (size_t u = 0; u < s.length; ++u) {
        scratch[u] = std::exp(scratch[u] - top);
        total += scratch[u];
      }
      for (size_t d = 0; d < s.head_size; ++d) {
        const float* values = s.qkv + 2 * s.hidden + head * s.head_size + d;
        float sum = 0;
        for (size_t u = 0; u < s.length; ++u) sum += scratch[u] * values[u * 3 * s.hidden];
        context[t * s.hidden + head * s.head_size + d] = sum / total;
      }
    }
  }
}

}  // namespace fewbits::encoder
