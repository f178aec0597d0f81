// module.cpp - nanobind only: checks shapes, releases the GIL, calls the scan and the table.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "encoder/bind.h"
#include "ndarrays.h"
#include "scan.h"
#include "threads.h"
#include "trellis/bind.h"

namespace nb = nanobind;
using namespace fewbits;

namespace {

// Owns a form for Python.
struct PyForm {
  Form value;

  static FormSettings checked(FormSettings s, int packing, int metric, int step_rule) {
    require(s.d >= 1 && s.d <= 65535, "d must be 1 to 65,535");
    require(packing >= 0 && packing <= 4, "packing must be 0 to 4");
    require(metric >= 0 && metric <= 2, "metric must be 0 to 2");
    require(step_rule >= 0 && step_rule <= 2, "step_rule must be 0 to 2");
    require(s.planes == 1 || s.planes == 2, "planes must be 1 or 2");
    s.packing = static_cast<Packing>(packing);
    s.metric = static_cast<Metric>(metric);
    s.step_rule = static_cast<Step>(step_rule);
    require(!s.hamming || s.packing == Packing::b1, "hamming needs 1-bit codes");
    return s;
  }

  static const float* sized(const In<float, 1>& values, size_t d) {
    require(values.shape(0) == d, "mean, step and zero must have d values");
    return values.data();
  }

  PyForm(int packing, int metric, int step_rule, const FormSettings& rest, In<float, 1> mean,
         In<float, 1> step, In<float, 1> zero)
      : value(checked(rest, packing, metric, step_rule), sized(mean, rest.d), sized(step, rest.d),
              sized(zero, rest.d)) {}
};

Codes codes_of(const Form& form, const In<uint8_t, 2>& codes) {
  require(codes.shape(1) == form.layout().stride, "codes have the wrong code_size");
  return {codes.data(), codes.shape(0)};
}

void check_queries(const Form& form, const In<float, 2>& q) {
  require(q.shape(1) == form.layout().d, "q must have d columns");
}

nb::tuple search_py(const PyForm& form, In<uint8_t, 2> codes, In<float, 2> q,
                    std::optional<In<int64_t, 1>> allowed, size_t k, size_t threads) {
  const Codes view = codes_of(form.value, codes);
  check_queries(form.value, q);
  const int64_t* rows = allowed ? allowed->data() : nullptr;
  const size_t n = allowed ? allowed->shape(0) : view.n;
  if (rows != nullptr && n > 0) {
    require(rows[0] >= 0 && static_cast<size_t>(rows[n - 1]) < view.n, "rows are out of range");
    for (size_t i = 1; i < n; ++i) require(rows[i - 1] < rows[i], "rows must ascend");
  }
  k = std::min(k, n);
  const size_t nq = q.shape(0);
  nb::capsule score_owner, row_owner;
  float* scores = fresh<float>(nq * k, score_owner);
  int64_t* ids = fresh<int64_t>(nq * k, row_owner);
  {
    nb::gil_scoped_release release;
    const PreparedQueries queries(form.value, q.data(), nq);
    const auto hits = search(form.value.layout(), view, queries, rows, n, k, threads);
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

Out<float, 2> score_all_py(const PyForm& form, In<uint8_t, 2> codes, In<float, 2> q,
                           size_t threads) {
  const Codes view = codes_of(form.value, codes);
  check_queries(form.value, q);
  nb::capsule owner;
  float* out = fresh<float>(q.shape(0) * view.n, owner);
  {
    nb::gil_scoped_release release;
    const PreparedQueries queries(form.value, q.data(), q.shape(0));
    score_all(form.value.layout(), view, queries, threads, out);
  }
  return Out<float, 2>(out, {q.shape(0), view.n}, owner);
}

Out<float, 2> score_rows_py(const PyForm& form, In<uint8_t, 2> codes, In<float, 2> q,
                            In<int64_t, 2> rows, size_t threads) {
  const Codes view = codes_of(form.value, codes);
  check_queries(form.value, q);
  require(rows.shape(0) == q.shape(0), "rows must have one line per query");
  const size_t m = rows.shape(1);
  for (size_t i = 0; i < rows.size(); ++i) {
    require(rows.data()[i] < static_cast<int64_t>(view.n), "rows are out of range");
  }
  nb::capsule owner;
  float* out = fresh<float>(rows.size(), owner);
  {
    nb::gil_scoped_release release;
    const PreparedQueries queries(form.value, q.data(), q.shape(0));
    score_rows(form.value.layout(), view, queries, rows.data(), m, threads, out);
  }
  return Out<float, 2>(out, {rows.shape(0), m}, owner);
}

Out<uint8_t, 2> encode_py(const PyForm& form, In<float, 2> x, size_t threads) {
  const size_t d = form.value.layout().d, stride = form.value.layout().stride, n = x.shape(0);
  require(x.shape(1) == d, "x must have d columns");
  nb::capsule owner;
  uint8_t* out = fresh<uint8_t>(n * stride, owner);
  {
    nb::gil_scoped_release release;
    EncodeFn* const encode = kernels_of(active_level()).encode;
    const size_t parts = std::max<size_t>(1, std::min(threads, n * d >> 18));
    parallel_ranges(n, parts, [&](size_t, size_t begin, size_t end) {
      std::vector<float> scratch(3 * padded(d));
      encode(x.data() + begin * d, end - begin, form.value.plan(), scratch.data(),
             out + begin * stride);
    });
  }
  return Out<uint8_t, 2>(out, {n, stride}, owner);
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
  nb::set_leak_warnings(false);  // forms cached by module-level quantizers outlive the interpreter
  m.def("levels", &levels_py);
  m.def("level", [] { return std::string(name(active_level())); });
  m.def("set_level", &set_level_py, nb::arg("level"));
  nb::class_<PyForm>(m, "Form")
      .def(
          "__init__",
          [](PyForm* self, int packing, int metric, int step_rule, size_t d, int gain, int planes,
             bool correct, bool hamming, bool alpha, bool beta, bool nu, float low, float high,
             float high_c, double rms_factor, In<float, 1> mean, In<float, 1> step,
             In<float, 1> zero) {
            FormSettings s;
            s.d = d;
            s.gain = gain;
            s.planes = planes;
            s.correct = correct;
            s.hamming = hamming;
            s.alpha = alpha;
            s.beta = beta;
            s.nu = nu;
            s.low = low;
            s.high = high;
            s.high_c = high_c;
            s.rms_factor = rms_factor;
            new (self) PyForm(packing, metric, step_rule, s, mean, step, zero);
          },
          nb::kw_only(), nb::arg("packing"), nb::arg("metric"), nb::arg("step_rule"),
          nb::arg("d"), nb::arg("gain"), nb::arg("planes"), nb::arg("correct"),
          nb::arg("hamming"), nb::arg("alpha"), nb::arg("beta"), nb::arg("nu"), nb::arg("low"),
          nb::arg("high"), nb::arg("high_c"), nb::arg("rms_factor"), nb::arg("mean").noconvert(),
          nb::arg("step").noconvert(), nb::arg("zero").noconvert())
      .def_prop_ro("code_size", [](const PyForm& f) { return f.value.layout().stride; });
  m.def("search", &search_py, nb::arg("form"), nb::arg("codes").noconvert(),
        nb::arg("q").noconvert(), nb::arg("rows").noconvert().none(), nb::arg("k"),
        nb::arg("threads"));
  m.def("score_all", &score_all_py, nb::arg("form"), nb::arg("codes").noconvert(),
        nb::arg("q").noconvert(), nb::arg("threads"));
  m.def("score_rows", &score_rows_py, nb::arg("form"), nb::arg("codes").noconvert(),
        nb::arg("q").noconvert(), nb::arg("rows").noconvert(), nb::arg("threads"));
  m.def("encode", &encode_py, nb::arg("form"), nb::arg("x").noconvert(), nb::arg("threads"));
  trellis::bind_trellis(m);
  trellis::bind_trellis_scan(m);
  encoder::bind_encoder(m);
}
