// query.h - what a scan kernel sees of one query, and the signature that all dot kernels share.
//
// Codes are integers c = gain * u - zero_point, u the stored unsigned (or signed, i8) value.
// A query is one or two int8 planes, q ~ weight[0] * plane[0] + weight[1] * plane[1]; a kernel returns
//   v = float(gain * <u, plane[0]> - base[0]) * weight[0]  (+ the same with plane[1], added last)
// base[p] = <zero_point, plane[p]>, so v estimates <q, c>. Each float operation is rounded once, in
// this order, without fused multiply-add: every level returns the same bits.
#pragma once
#include <cstddef>
#include <cstdint>

namespace fewbits {

// Lanes of the fixed float reduction tree of dot_f16, and padding unit of every plane.
inline constexpr size_t plane_align = 64;

struct QueryView {
  // Plane bytes in the order that the packing's kernel reads (see each dot_*.h), zero padded to a
  // multiple of 64 bytes per sub-plane, 64-byte aligned.
  const int8_t* plane[2] = {nullptr, nullptr};
  size_t sub = 0;       // bytes from one sub-plane to the next
  const float* dense = nullptr;  // dot_f16 only: d floats, zero padded to a multiple of 16
  float weight[2] = {0, 0};
  int32_t base[2] = {0, 0};
  int32_t gain = 1;
  int planes = 1;
};

// rows: n code rows, `stride` bytes apart, any alignment; d: dimensions; out: n floats.
using DotFn = void(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out);

// The last step, shared by every level so that the order of float operations is written once.
static inline float finish_dot(const QueryView& q, const int32_t* raw) {
  float v = static_cast<float>(q.gain * raw[0] - q.base[0]) * q.weight[0];
  if (q.planes == 2) {
    const float second = static_cast<float>(q.gain * raw[1] - q.base[1]) * q.weight[1];
    v = v + second;
  }
  return v;
}

}  // namespace fewbits
