#include "bind.h"

#include <nanobind/stl/optional.h>

#include <optional>

#include "encode.h"
#include "unpack.h"

namespace fewbits::trellis {
namespace {

namespace nb = nanobind;

void init_plan(Plan* self, size_t d, int metric, In<int16_t, 2> basis, In<float, 1> sigma,
               In<uint8_t, 1> widths, In<float, 2> centroids, In<float, 2> mh, size_t id_bytes,
               double rest_weight, size_t scalar_bytes, float s_low, float s_step, float b_low,
               float b_step, float residual_norm) {
  Settings s;
  s.d = d;
  s.m = basis.shape(0);
  s.lists = centroids.shape(0);
  require(basis.shape(1) == d && centroids.shape(1) == d, "basis and centroids need d columns");
  require(sigma.shape(0) == s.m, "sigma must have a value per row of basis");
  require(widths.shape(0) * group_columns == s.m, "widths must have a value per 8 rows of basis");
  require(mh.shape(0) == s.lists && mh.shape(1) == s.m, "mh must be (centroids, rows of basis)");
  require(metric >= 0 && metric <= 2, "metric must be 0 to 2");
  s.metric = static_cast<Metric>(metric);
  s.id_bytes = id_bytes;
  s.scalar_bytes = scalar_bytes;
  s.rest_weight = rest_weight;
  s.s_low = s_low;
  s.s_step = s_step;
  s.b_low = b_low;
  s.b_step = b_step;
  s.residual_norm = residual_norm;
  new (self) Plan(s, basis.data(), sigma.data(), widths.data(), centroids.data(), mh.data());
}

nb::tuple encode_py(const Plan& plan, In<float, 2> x, std::optional<In<double, 1>> extra,
                    size_t threads) {
  const size_t n = x.shape(0);
  require(x.shape(1) == plan.set.d, "x must have d columns");
  require(!extra || extra->shape(0) == n, "extra must have a value per row of x");
  nb::capsule code_owner, distortion_owner;
  uint8_t* codes = fresh<uint8_t>(n * plan.code_size, code_owner);
  float* distortion = fresh<float>(n, distortion_owner);
  {
    nb::gil_scoped_release release;
    encode(plan, x.data(), extra ? extra->data() : nullptr, n, threads, codes, distortion);
  }
  return nb::make_tuple(Out<uint8_t, 2>(codes, {n, plan.code_size}, code_owner),
                        Out<float, 1>(distortion, {n}, distortion_owner));
}

Out<int32_t, 1> assign_py(const Plan& plan, In<float, 2> x, size_t threads) {
  require(x.shape(1) == plan.set.d, "x must have d columns");
  nb::capsule owner;
  int32_t* lists = fresh<int32_t>(x.shape(0), owner);
  {
    nb::gil_scoped_release release;
    assign(plan, x.data(), x.shape(0), threads, lists);
  }
  return Out<int32_t, 1>(lists, {x.shape(0)}, owner);
}

Out<uint8_t, 2> unpack_py(const Plan& plan, In<uint8_t, 2> codes, size_t threads) {
  require(codes.shape(1) == plan.code_size, "codes have the wrong code_size");
  const size_t n = codes.shape(0), size = unpacked_size(plan);
  nb::capsule owner;
  uint8_t* values = fresh<uint8_t>(n * size, owner);
  {
    nb::gil_scoped_release release;
    unpack(plan, codes.data(), n, threads, values);
  }
  return Out<uint8_t, 2>(values, {n, size}, owner);
}

}  // namespace

void bind_trellis(nb::module_& m) {
  nb::class_<Plan>(m, "TrellisPlan")
      .def("__init__", &init_plan, nb::kw_only(), nb::arg("d"), nb::arg("metric"),
           nb::arg("basis").noconvert(), nb::arg("sigma").noconvert(),
           nb::arg("widths").noconvert(), nb::arg("centroids").noconvert(),
           nb::arg("mh").noconvert(), nb::arg("id_bytes"), nb::arg("rest_weight"),
           nb::arg("scalar_bytes"), nb::arg("s_low"), nb::arg("s_step"), nb::arg("b_low"),
           nb::arg("b_step"), nb::arg("residual_norm"))
      .def_prop_ro("code_size", [](const Plan& plan) { return plan.code_size; });
  m.def("trellis_encode", &encode_py, nb::arg("plan"), nb::arg("x").noconvert(),
        nb::arg("extra").noconvert().none(), nb::arg("threads"));
  m.def("trellis_unpack", &unpack_py, nb::arg("plan"), nb::arg("codes").noconvert(),
        nb::arg("threads"));
  m.def("trellis_assign", &assign_py, nb::arg("plan"), nb::arg("x").noconvert(),
        nb::arg("threads"));
}

}  // namespace fewbits::trellis
