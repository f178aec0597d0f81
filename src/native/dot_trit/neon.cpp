#include "dot_trit.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

constexpr size_t width = 16;  // bytes per register
constexpr int digits = 5;     // per byte

inline uint8x16_t load(const void* at) { return vld1q_u8(static_cast<const uint8_t*>(at)); }

// 16 bytes, the first `left` of them from `at`, zeros after them.
inline uint8x16_t load_part(const uint8_t* at, size_t left) {
  alignas(width) uint8_t copy[width] = {0};
  __builtin_memcpy(copy, at, left);
  return load(copy);
}

// sum[i] += a[i] b[i] + a[8 + i] b[8 + i]
inline int16x8_t multiply_add(int16x8_t sum, uint8x16_t a, const int8_t* b) {
  const int8x16_t codes = vreinterpretq_s8_u8(a), plane = vld1q_s8(b);
  sum = vmlal_s8(sum, vget_low_s8(codes), vget_low_s8(plane));
  return vmlal_high_s8(sum, codes, plane);
}

// (3 v) >> 8 of each byte: a halving add makes (3 v) >> 2, of which the top two bits stay.
inline uint8x16_t top_digit(uint8x16_t v) {
  return vshrq_n_u8(vhaddq_u8(v, vshrq_n_u8(v, 1)), 6);
}

// raw[r][p] = <digits of row r, plane p>.
template <int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t bytes, const QueryView& q,
                     int32_t (*raw)[2]) {
  int32x4_t acc[planes][rows];
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < rows; ++r) acc[p][r] = vdupq_n_s32(0);
  }
  const auto step = [&](size_t j, const auto& fetch) {
    for (int r = 0; r < rows; ++r) {
      uint8x16_t v = fetch(at + static_cast<size_t>(r) * stride + j);
      int16x8_t sums[planes];  // 10 products of at most 2 x 127 to an int16
      for (int p = 0; p < planes; ++p) sums[p] = vdupq_n_s16(0);
      for (int k = 0; k < digits; ++k) {
        const uint8x16_t digit = top_digit(v);
        for (int p = 0; p < planes; ++p) {
          sums[p] = multiply_add(sums[p], digit, q.plane[p] + static_cast<size_t>(k) * q.sub + j);
        }
        v = vaddq_u8(v, vaddq_u8(v, v));
      }
      for (int p = 0; p < planes; ++p) acc[p][r] = vpadalq_s16(acc[p][r], sums[p]);
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
  const size_t bytes = (d + 4) / 5;
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

void dot_trit_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  if (query.planes == 2) return dot_all<2>(rows, n, stride, d, query, out);
  dot_all<1>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
