#include "dot_i8.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

constexpr size_t width = 16;  // codes per register

inline int8x16_t load(const void* at) { return vld1q_s8(static_cast<const int8_t*>(at)); }

// 16 bytes, the first `left` of them from `at`, zeros after them.
inline int8x16_t load_part(const uint8_t* at, size_t left) {
  alignas(width) uint8_t copy[width] = {0};
  __builtin_memcpy(copy, at, left);
  return load(copy);
}

// raw[r][p] = <codes of row r, plane p>.
template <int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t bytes, const QueryView& q,
                     int32_t (*raw)[2]) {
  int32x4_t acc[planes][rows];
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < rows; ++r) acc[p][r] = vdupq_n_s32(0);
  }
  const auto step = [&](size_t j, const auto& fetch) {
    int8x16_t plane[planes];
    for (int p = 0; p < planes; ++p) plane[p] = load(q.plane[p] + j);
    for (int r = 0; r < rows; ++r) {
      const int8x16_t codes = fetch(at + static_cast<size_t>(r) * stride + j);
      for (int p = 0; p < planes; ++p) {
        // Two products of at most 128 x 127 to an int16.
        int16x8_t pairs = vmull_s8(vget_low_s8(codes), vget_low_s8(plane[p]));
        pairs = vmlal_high_s8(pairs, codes, plane[p]);
        acc[p][r] = vpadalq_s16(acc[p][r], pairs);
      }
    }
  };
  size_t j = 0;
  for (; j + width <= bytes; j += width) {
    step(j, [](const uint8_t* from) { return load(from); });
  }
  if (j < bytes) {
    step(j, [&](const uint8_t* from) { return load_part(from, bytes - j); });
  }
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < planes; ++p) raw[r][p] = vaddvq_s32(acc[p][r]);
  }
}

template <int planes>
inline void dot_all(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& q,
                    float* out) {
  const size_t bytes = d;
  int32_t raw[4][2];
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    dot_rows<planes, 4>(rows + i * stride, stride, bytes, q, raw);
    for (size_t r = 0; r < 4; ++r) out[i + r] = finish_dot(q, raw[r]);
  }
  for (; i < n; ++i) {
    dot_rows<planes, 1>(rows + i * stride, stride, bytes, q, raw);
    out[i] = finish_dot(q, raw[0]);
  }
}

}  // namespace

void dot_i8_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  if (query.planes == 2) return dot_all<2>(rows, n, stride, d, query, out);
  dot_all<1>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
