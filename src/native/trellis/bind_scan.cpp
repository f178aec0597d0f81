#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <limits>
#include <optional>

#include "bind.h"
#include "lists.h"
#include "refine.h"
#include "scan.h"

namespace fewbits::trellis {
namespace {

namespace nb = nanobind;

Codes codes_of(const Plan& plan, const In<uint8_t, 2>& codes, const In<float, 2>& q) {
  require(codes.shape(1) == plan.code_size, "codes have the wrong code_size");
  require(q.shape(1) == plan.set.d, "q must have d columns");
  return {codes.data(), codes.shape(0)};
}

// Hits as (scores, rows), each (queries, k), padded with -inf and -1.
nb::tuple as_tuple(const float* scores, const int64_t* rows, size_t nq, size_t k,
                   const nb::capsule& score_owner, const nb::capsule& row_owner) {
  return nb::make_tuple(Out<float, 2>(const_cast<float*>(scores), {nq, k}, score_owner),
                        Out<int64_t, 2>(const_cast<int64_t*>(rows), {nq, k}, row_owner));
}

void write_hits(const std::vector<std::vector<Hit>>& hits, size_t k, float* scores,
                int64_t* rows) {
  for (size_t i = 0; i < hits.size(); ++i) {
    for (size_t c = 0; c < k; ++c) {
      const bool held = c < hits[i].size();
      scores[i * k + c] = held ? hits[i][c].score : -std::numeric_limits<float>::infinity();
      rows[i * k + c] = held ? hits[i][c].row : -1;
    }
  }
}

nb::tuple search_py(const Plan& plan, In<uint8_t, 2> codes, In<float, 2> q,
                    std::optional<In<int64_t, 1>> allowed, size_t k, size_t threads) {
  const Codes view = codes_of(plan, codes, q);
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
    const Queries queries(plan, q.data(), nq);
    write_hits(search(plan, view, queries, rows, n, k, threads), k, scores, ids);
  }
  return as_tuple(scores, ids, nq, k, score_owner, row_owner);
}

Out<float, 2> score_all_py(const Plan& plan, In<uint8_t, 2> codes, In<float, 2> q,
                           size_t threads) {
  const Codes view = codes_of(plan, codes, q);
  nb::capsule owner;
  float* out = fresh<float>(q.shape(0) * view.n, owner);
  {
    nb::gil_scoped_release release;
    score_all(plan, view, Queries(plan, q.data(), q.shape(0)), threads, out);
  }
  return Out<float, 2>(out, {q.shape(0), view.n}, owner);
}

Out<float, 2> score_rows_py(const Plan& plan, In<uint8_t, 2> codes, In<float, 2> q,
                            In<int64_t, 2> rows, size_t threads) {
  const Codes view = codes_of(plan, codes, q);
  require(rows.shape(0) == q.shape(0), "rows must have one line per query");
  for (size_t i = 0; i < rows.size(); ++i) {
    require(rows.data()[i] < static_cast<int64_t>(view.n), "rows are out of range");
  }
  require(view.n > 0 || rows.size() == 0, "codes must have a row");
  nb::capsule owner;
  float* out = fresh<float>(rows.size(), owner);
  {
    nb::gil_scoped_release release;
    const Queries queries(plan, q.data(), q.shape(0));
    score_rows(plan, view, queries, rows.data(), rows.shape(1), threads, out);
  }
  return Out<float, 2>(out, {rows.shape(0), rows.shape(1)}, owner);
}

void check_lists(const Plan& plan, size_t n, const In<int64_t, 1>& offsets,
                 const std::optional<In<uint8_t, 1>>& alive) {
  const size_t lists = plan.set.lists;
  require(offsets.shape(0) == lists + 1, "offsets must have a value per list and one more");
  const int64_t* at = offsets.data();
  require(at[0] == 0 && at[lists] == static_cast<int64_t>(n), "offsets must span the codes");
  for (size_t l = 0; l < lists; ++l) require(at[l] <= at[l + 1], "offsets must ascend");
  require(!alive || alive->shape(0) == n, "alive must have a value per code row");
}

nb::tuple search_lists_py(const Plan& plan, In<uint8_t, 2> codes, In<int64_t, 1> offsets,
                          std::optional<In<uint8_t, 1>> alive, In<float, 2> q, size_t k,
                          int64_t probes, double margin, size_t threads) {
  const Codes view = codes_of(plan, codes, q);
  check_lists(plan, view.n, offsets, alive);
  require(probes >= 0, "probes must not be negative");
  const size_t nq = q.shape(0);
  nb::capsule score_owner, row_owner, probed_owner;
  float* scores = fresh<float>(nq * k, score_owner);
  int64_t* ids = fresh<int64_t>(nq * k, row_owner);
  int32_t* probed = fresh<int32_t>(nq, probed_owner);
  {
    nb::gil_scoped_release release;
    const Queries queries(plan, q.data(), nq);
    const Lists lists = {offsets.data(), alive ? alive->data() : nullptr};
    const Probing probing = {static_cast<size_t>(probes), margin};
    const Scorer scorer(plan);
    write_hits(search_lists_batch(scorer, view, lists, queries, k, probing, threads, probed), k,
               scores, ids);
  }
  const nb::tuple found = as_tuple(scores, ids, nq, k, score_owner, row_owner);
  return nb::make_tuple(found[0], found[1], Out<int32_t, 1>(probed, {nq}, probed_owner));
}

std::vector<Part> parts_of(const Plan& plan, const std::vector<In<uint8_t, 2>>& codes,
                           const In<int64_t, 1>& starts) {
  require(starts.shape(0) == codes.size(), "starts must have a value per array of codes");
  std::vector<Part> parts;
  int64_t next = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    require(codes[i].shape(1) == plan.code_size, "codes have the wrong code_size");
    require(starts.data()[i] == next, "starts must be those of rows without gaps");
    parts.push_back({{codes[i].data(), codes[i].shape(0)}, next});
    next += static_cast<int64_t>(codes[i].shape(0));
  }
  return parts;
}

nb::tuple refine_py(const Plan& plan, const std::vector<In<uint8_t, 2>>& codes,
                    In<int64_t, 1> starts, In<float, 2> q, In<float, 2> scores,
                    In<int64_t, 2> rows, In<float, 1> reach, In<float, 1> offset, size_t k,
                    size_t threads) {
  const std::vector<Part> parts = parts_of(plan, codes, starts);
  const size_t nq = q.shape(0), count = rows.shape(1);
  require(q.shape(1) == plan.set.d, "q must have d columns");
  require(scores.shape(0) == nq && rows.shape(0) == nq && scores.shape(1) == count,
          "scores and rows must have a line per query");
  require(reach.shape(0) == nq && offset.shape(0) == nq, "reach and offset: one per query");
  const int64_t n = parts.empty() ? 0 : parts.back().start + int64_t(parts.back().codes.n);
  for (size_t i = 0; i < rows.size(); ++i) require(rows.data()[i] < n, "rows are out of range");
  nb::capsule score_owner, row_owner;
  float* best = fresh<float>(nq * k, score_owner);
  int64_t* ids = fresh<int64_t>(nq * k, row_owner);
  {
    nb::gil_scoped_release release;
    const Queries queries(plan, q.data(), nq);
    const Candidates from = {scores.data(), rows.data(), count, reach.data(), offset.data()};
    write_hits(refine(plan, parts, queries, from, k, threads), k, best, ids);
  }
  return as_tuple(best, ids, nq, k, score_owner, row_owner);
}

}  // namespace

void bind_trellis_scan(nb::module_& m) {
  m.def("trellis_search", &search_py, nb::arg("plan"), nb::arg("codes").noconvert(),
        nb::arg("q").noconvert(), nb::arg("rows").noconvert().none(), nb::arg("k"),
        nb::arg("threads"));
  m.def("trellis_score_all", &score_all_py, nb::arg("plan"), nb::arg("codes").noconvert(),
        nb::arg("q").noconvert(), nb::arg("threads"));
  m.def("trellis_score_rows", &score_rows_py, nb::arg("plan"), nb::arg("codes").noconvert(),
        nb::arg("q").noconvert(), nb::arg("rows").noconvert(), nb::arg("threads"));
  m.def("trellis_search_lists", &search_lists_py, nb::arg("plan"), nb::arg("codes").noconvert(),
        nb::arg("offsets").noconvert(), nb::arg("alive").noconvert().none(),
        nb::arg("q").noconvert(), nb::arg("k"), nb::arg("probes"), nb::arg("margin"),
        nb::arg("threads"));
  m.def("trellis_refine", &refine_py, nb::arg("plan"), nb::arg("codes"),
        nb::arg("starts").noconvert(), nb::arg("q").noconvert(), nb::arg("scores").noconvert(),
        nb::arg("rows").noconvert(), nb::arg("reach").noconvert(), nb::arg("offset").noconvert(),
        nb::arg("k"), nb::arg("threads"));
}

}  // namespace fewbits::trellis
