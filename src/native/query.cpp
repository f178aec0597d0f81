#include <cstring>

#include "scan.h"

namespace fewbits {
namespace {

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// Sub-planes and the stride of dimensions between neighbours of one sub-plane.
size_t sub_planes(const Layout& layout) {
  if (layout.packing == Packing::u4) return 2;
  if (layout.packing == Packing::trit) return 5;
  return 1;
}

size_t sub_bytes(const Layout& layout) {
  const size_t subs = sub_planes(layout);
  const size_t per_sub = layout.packing == Packing::b1 ? round_up(layout.d, 8)
                                                       : (layout.d + subs - 1) / subs;
  return round_up(per_sub, plane_align);
}

// Where dimension j goes inside a plane: see the dot_*.h of each packing.
size_t position(const Layout& layout, size_t j, size_t sub) {
  if (layout.packing == Packing::b1) return j / 8 * 8 + 7 - j % 8;
  const size_t subs = sub_planes(layout);
  return j % subs * sub + j / subs;
}

}  // namespace

PreparedQueries::PreparedQueries(const Layout& layout, const QueryArrays& arrays) {
  const bool dense = layout.packing == Packing::f16;
  const size_t sub = dense ? 0 : sub_bytes(layout);
  const size_t plane_bytes = sub * sub_planes(layout);
  const size_t dense_bytes = round_up(layout.d * sizeof(float), plane_align);
  const size_t each = dense ? dense_bytes : plane_bytes * arrays.planes;
  storage_.assign(each * arrays.n + plane_align, 0);
  uint8_t* at = storage_.data();
  at += (plane_align - reinterpret_cast<uintptr_t>(at) % plane_align) % plane_align;
  views_.resize(arrays.n);
  t_.assign(arrays.t, arrays.t + arrays.n);
  gamma_.assign(arrays.gamma, arrays.gamma + arrays.n);
  for (size_t i = 0; i < arrays.n; ++i, at += each) {
    QueryView& view = views_[i];
    view.gain = layout.gain;
    view.sub = sub;
    if (dense) {
      std::memcpy(at, arrays.dense + i * layout.d, layout.d * sizeof(float));
      view.dense = reinterpret_cast<const float*>(at);
      continue;
    }
    view.planes = static_cast<int>(arrays.planes);
    for (size_t p = 0; p < arrays.planes; ++p) {
      int8_t* plane = reinterpret_cast<int8_t*>(at) + p * plane_bytes;
      view.plane[p] = plane;
      view.weight[p] = arrays.weight[i * arrays.planes + p];
      view.base[p] = arrays.base[i * arrays.planes + p];
      if (layout.hamming) {
        const size_t bytes = (layout.d + 7) / 8;
        std::memcpy(plane, arrays.plane + i * bytes, bytes);
        continue;
      }
      const int8_t* from = arrays.plane + (i * arrays.planes + p) * layout.d;
      for (size_t j = 0; j < layout.d; ++j) plane[position(layout, j, sub)] = from[j];
    }
  }
}

}  // namespace fewbits
