#include "dot_b1.h"

#include <arm_neon.h>

namespace fewbits {
namespace {

constexpr size_t width = 2;   // bytes per step: 16 bits meet 16 plane bytes
constexpr size_t block = 64;  // steps summed in int16: 64 x 2 x 127 < 2^15

// 255 in byte i where bit i of the two bytes is set.
inline uint8x16_t spread(uint8_t first, uint8_t second) {
  const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
  return vtstq_u8(vcombine_u8(vdup_n_u8(first), vdup_n_u8(second)), bit);
}

// raw[r][p] = <bits of row r, plane p>.
template <int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t bytes, const QueryView& q,
                     int32_t (*raw)[2]) {
  int32x4_t acc[planes][rows];
  int16x8_t pairs[planes][rows];
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < rows; ++r) {
      acc[p][r] = vdupq_n_s32(0);
      pairs[p][r] = vdupq_n_s16(0);
    }
  }
  const auto step = [&](size_t j, const auto& fetch) {
    for (int r = 0; r < rows; ++r) {
      const uint8_t* from = at + static_cast<size_t>(r) * stride + j;
      const int8x16_t set = vreinterpretq_s8_u8(fetch(from));
      for (int p = 0; p < planes; ++p) {
        const int8x16_t kept = vandq_s8(set, vld1q_s8(q.plane[p] + 8 * j));
        pairs[p][r] = vpadalq_s8(pairs[p][r], kept);
      }
    }
  };
  const auto widen = [&] {
    for (int p = 0; p < planes; ++p) {
      for (int r = 0; r < rows; ++r) {
        acc[p][r] = vpadalq_s16(acc[p][r], pairs[p][r]);
        pairs[p][r] = vdupq_n_s16(0);
      }
    }
  };
  const size_t whole = bytes / width * width;
  size_t j = 0;
  while (j < whole) {
    const size_t stop = whole - j > block * width ? j + block * width : whole;
    for (; j < stop; j += width) {
      step(j, [](const uint8_t* from) { return spread(from[0], from[1]); });
    }
    widen();
  }
  if (j < bytes) {
    step(j, [](const uint8_t* from) { return spread(from[0], 0); });
    widen();
  }
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < planes; ++p) raw[r][p] = vaddvq_s32(acc[p][r]);
  }
}

template <int planes>
inline void dot_all(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& q,
                    float* out) {
  const size_t bytes = (d + 7) / 8;
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

void dot_b1_neon(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  if (query.planes == 2) return dot_all<2>(rows, n, stride, d, query, out);
  dot_all<1>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
