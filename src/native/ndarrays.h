// ndarrays.h - arrays that the bindings take and give.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

namespace fewbits {

template <typename T, size_t N>
using In = nanobind::ndarray<const T, nanobind::ndim<N>, nanobind::c_contig, nanobind::device::cpu>;
template <typename T, size_t N>
using Out = nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<N>>;

inline void require(bool holds, const char* what) {
  if (!holds) throw nanobind::value_error(what);
}

// `count` zeros that `owner` deletes.
template <typename T>
T* fresh(size_t count, nanobind::capsule& owner) {
  T* data = new T[count]();
  owner = nanobind::capsule(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return data;
}

}  // namespace fewbits
