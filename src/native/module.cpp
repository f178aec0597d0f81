// module.cpp - nanobind only: checks shapes, releases the GIL, calls the scan and the table.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "scan.h"
#include "threads.h"

namespace nb = nanobind;
using namespace fewbits;

namespace {

template <typename T, size_t N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <typename T, size_t N>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<N>>;

void require(bool holds, const char* what) {
  if (!holds) throw nb::value_error(what);
}

template <typename T>
T* fresh(size_t count, nb::capsule& owner) {
  T* data = new T[count]();
  owner = nb::capsule(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return data;
}

Packing packing_of(int packing) {
  require(packing >= 0 && packing <= 4, "packing must be 0 to 4");
  return static_cast<Packing>(packing);
}

size_t payload(Packing packing, size_t d) {
  switch (packing) {
    case Packing::i8: return d;
    case Packing::u4: return (d + 1) / 2;
    case Packing::trit: return (d + 4) / 5;
    case Packing::b1: return (d + 7) / 8;
    default: return 2 * d;
  }
}

struct PyLayout {
  Layout value;

  PyLayout(int packing, size_t d, int gain, bool alpha, bool beta, bool nu, bool hamming) {
    require(d >= 1 && d <= 65535, "d must be 1 to 65,535");
    value.packing = packing_of(packing);
    require(!hamming || value.packing == Packing::b1, "hamming needs 1-bit codes");
    value.hamming = hamming;
    value.d = d;
    value.gain = gain;
    value.factors.offset = payload(value.packing, d);
    value.factors.alpha = alpha;
    value.factors.beta = beta;
    value.factors.nu = nu;
    value.stride = value.factors.offset + 4 * (size_t{alpha} + size_t{beta} + size_t{nu});
  }
};

Codes codes_of(const PyLayout& layout, const In<uint8_t, 2>& codes) {
  require(codes.shape(1) == layout.value.stride, "codes have the wrong code_size");
  return {codes.data(), codes.shape(0)};
}

struct PyQueries {
  Layout layout;
  PreparedQueries value;

  static QueryArrays arrays(const Layout& layout, const In<int8_t, 3>& plane,
                            const In<float, 2>& dense, const In<float, 2>& weight,
                            const In<int32_t, 2>& base, const In<float, 1>& t,
                            const In<float, 1>& gamma) {
    QueryArrays a;
    a.n = t.shape(0);
    a.planes = plane.shape(1);
    a.plane = plane.data();
    a.dense = dense.data();
    a.weight = weight.data();
    a.base = base.data();
    a.t = t.data();
    a.gamma = gamma.data();
    require(gamma.shape(0) == a.n, "gamma must have one value per query");
    if (layout.packing == Packing::f16) {
      require(dense.shape(0) == a.n && dense.shape(1) == layout.d, "dense must be (nq, d)");
      return a;
    }
    const size_t width = layout.hamming ? (layout.d + 7) / 8 : layout.d;
    require(plane.shape(0) == a.n && plane.shape(2) == width, "planes must be (nq, planes, d)");
    require(a.planes == 1 || (a.planes == 2 && !layout.hamming), "planes must be 1 or 2");
    require(weight.shape(0) == a.n && weight.shape(1) == a.planes, "weight must be (nq, planes)");
    require(base.shape(0) == a.n && base.shape(1) == a.planes, "base must be (nq, planes)");
    return a;
  }

  PyQueries(const PyLayout& from, In<int8_t, 3> plane, In<float, 2> dense, In<float, 2> weight,
            In<int32_t, 2> base, In<float, 1> t, In<float, 1> gamma)
      : layout(from.value), value(layout, arrays(layout, plane, dense, weight, base, t, gamma)) {}
};

nb::tuple search_py(const PyLayout& layout, In<uint8_t, 2> codes, const PyQueries& queries,
                    std::optional<In<int64_t, 1>> allowed, size_t k, size_t threads) {
  const Codes view = codes_of(layout, codes);
  const int64_t* rows = allowed ? allowed->data() : nullptr;
  const size_t n = allowed ? allowed->shape(0) : view.n;
  if (rows != nullptr && n > 0) {
    require(rows[0] >= 0 && static_cast<size_t>(rows[n - 1]) < view.n, "rows are out of range");
    for (size_t i = 1; i < n; ++i) require(rows[i - 1] < rows[i], "rows must ascend");
  }
  k = std::min(k, n);
  const size_t nq = queries.value.size();
  nb::capsule score_owner, row_owner;
  float* scores = fresh<float>(nq * k, score_owner);
  int64_t* ids = fresh<int64_t>(nq * k, row_owner);
  {
    nb::gil_scoped_release release;
    const auto hits = search(layout.value, view, queries.value, rows, n, k, threads);
    for (size_t i = 0; i < nq; ++i) {
      for (size_t c = 0; c < hits[i].size(); ++c) {
        scores[i * k + c] = hits[i][c].score;
        ids[i * k + c] = hits[i][c].row;
      }
    }
  }
  return nb::make_tuple(Out<float, 2>(scores, {nq, k}, score_owner),
                        Out<int64_t, 2>(ids, {nq, k}, row_owner));
}

Out<float, 2> score_all_py(const PyLayout& layout, In<uint8_t, 2> codes, const PyQueries& queries,
                           size_t threads) {
  const Codes view = codes_of(layout, codes);
  nb::capsule owner;
  float* out = fresh<float>(queries.value.size() * view.n, owner);
  {
    nb::gil_scoped_release release;
    score_all(layout.value, view, queries.value, threads, out);
  }
  return Out<float, 2>(out, {queries.value.size(), view.n}, owner);
}

Out<float, 2> score_rows_py(const PyLayout& layout, In<uint8_t, 2> codes, const PyQueries& queries,
                            In<int64_t, 2> rows, size_t threads) {
  const Codes view = codes_of(layout, codes);
  require(rows.shape(0) == queries.value.size(), "rows must have one line per query");
  const size_t m = rows.shape(1);
  for (size_t i = 0; i < rows.size(); ++i) {
    require(rows.data()[i] < static_cast<int64_t>(view.n), "rows are out of range");
  }
  nb::capsule owner;
  float* out = fresh<float>(rows.size(), owner);
  {
    nb::gil_scoped_release release;
    score_rows(layout.value, view, queries.value, rows.data(), m, threads, out);
  }
  return Out<float, 2>(out, {rows.shape(0), m}, owner);
}

std::vector<float> pad(const In<float, 1>& values, size_t d, float fill) {
  require(values.shape(0) == d, "mean, step and zero must have d values");
  std::vector<float> out(padded(d), fill);
  std::copy(values.data(), values.data() + d, out.begin());
  return out;
}

Out<uint8_t, 2> encode_py(const PyLayout& layout, In<float, 2> x, int step_rule, bool normalise,
                          bool correct, float low, float high, float high_c, double rms_factor,
                          In<float, 1> mean, In<float, 1> step, In<float, 1> zero,
                          size_t threads) {
  const Layout& form = layout.value;
  require(x.shape(1) == form.d, "x must have d columns");
  require(step_rule >= 0 && step_rule <= 2, "step_rule must be 0 to 2");
  EncodePlan plan;
  plan.packing = form.packing;
  plan.step_rule = static_cast<Step>(step_rule);
  plan.d = form.d;
  plan.stride = form.stride;
  plan.normalise = normalise;
  plan.sign = form.packing == Packing::b1;
  plan.correct = correct;
  plan.factors = form.factors;
  plan.low = low;
  plan.high = high;
  plan.high_c = high_c;
  plan.rms_factor = rms_factor;
  const auto mean_pad = pad(mean, form.d, 0);
  const auto step_pad = pad(step, form.d, 1);
  const auto zero_pad = pad(zero, form.d, 0);
  plan.mean = mean_pad.data();
  plan.step = step_pad.data();
  plan.zero = zero_pad.data();
  const size_t n = x.shape(0);
  nb::capsule owner;
  uint8_t* out = fresh<uint8_t>(n * form.stride, owner);
  {
    nb::gil_scoped_release release;
    EncodeFn* const encode = kernels_of(active_level()).encode;
    const size_t parts = std::max<size_t>(1, std::min(threads, n * form.d >> 18));
    parallel_ranges(n, parts, [&](size_t, size_t begin, size_t end) {
      std::vector<float> scratch(3 * padded(form.d));
      encode(x.data() + begin * form.d, end - begin, plan, scratch.data(),
             out + begin * form.stride);
    });
  }
  return Out<uint8_t, 2>(out, {n, form.stride}, owner);
}

void set_level_py(const std::string& wanted) {
  for (Level level : all_levels) {
    if (wanted == name(level) && available(level)) return set_active_level(level);
  }
  throw nb::value_error("no such level here");
}

std::vector<std::string> levels_py() {
  std::vector<std::string> found;
  for (Level level : all_levels) {
    if (available(level)) found.emplace_back(name(level));
  }
  return found;
}

}  // namespace

NB_MODULE(_native, m) {
  m.def("levels", &levels_py);
  m.def("level", [] { return std::string(name(active_level())); });
  m.def("set_level", &set_level_py, nb::arg("level"));
  nb::class_<PyLayout>(m, "Layout")
      .def(nb::init<int, size_t, int, bool, bool, bool, bool>(), nb::arg("packing"), nb::arg("d"),
           nb::arg("gain"), nb::arg("alpha"), nb::arg("beta"), nb::arg("nu"), nb::arg("hamming"))
      .def_prop_ro("code_size", [](const PyLayout& l) { return l.value.stride; });
  nb::class_<PyQueries>(m, "Queries")
      .def(nb::init<const PyLayout&, In<int8_t, 3>, In<float, 2>, In<float, 2>, In<int32_t, 2>,
                    In<float, 1>, In<float, 1>>(),
           nb::arg("layout"), nb::arg("plane").noconvert(), nb::arg("dense").noconvert(),
           nb::arg("weight").noconvert(), nb::arg("base").noconvert(), nb::arg("t").noconvert(),
           nb::arg("gamma").noconvert());
  m.def("search", &search_py, nb::arg("layout"), nb::arg("codes").noconvert(), nb::arg("queries"),
        nb::arg("rows").noconvert().none(), nb::arg("k"), nb::arg("threads"));
  m.def("score_all", &score_all_py, nb::arg("layout"), nb::arg("codes").noconvert(),
        nb::arg("queries"), nb::arg("threads"));
  m.def("score_rows", &score_rows_py, nb::arg("layout"), nb::arg("codes").noconvert(),
        nb::arg("queries"), nb::arg("rows").noconvert(), nb::arg("threads"));
  m.def("encode", &encode_py, nb::arg("layout"), nb::arg("x").noconvert(), nb::arg("step_rule"),
        nb::arg("normalise"), nb::arg("correct"), nb::arg("low"), nb::arg("high"),
        nb::arg("high_c"), nb::arg("rms_factor"), nb::arg("mean").noconvert(),
        nb::arg("step").noconvert(), nb::arg("zero").noconvert(), nb::arg("threads"));
}
