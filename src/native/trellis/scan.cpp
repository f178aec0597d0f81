#include "scan.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "../threads.h"
#include "batch.h"
#include "one.h"

namespace fewbits::trellis {
namespace {

constexpr size_t thread_bytes = 512 << 10;  // below this much code a further thread does not pay

TailForm tail_form(const Plan& plan) {
  TailForm form;
  form.stride = plan.code_size;
  form.id_at = plan.id_at;
  form.id_bytes = plan.set.id_bytes;
  form.s_at = plan.s_at;
  form.scalar_bytes = plan.set.scalar_bytes;
  form.last_list = static_cast<uint32_t>(plan.set.lists - 1);
  form.s_low = plan.set.s_low;
  form.s_step = plan.set.s_step;
  form.b_low = plan.set.b_low;
  form.b_step = plan.set.b_step;
  return form;
}

size_t worth(size_t threads, size_t n, size_t stride) {
  return std::max<size_t>(1, std::min(threads, n * stride / thread_bytes));
}

std::vector<Hit> search_one(const Scorer& scorer, const Codes& codes, const Query& query,
                            const int64_t* allowed, size_t n, size_t k, size_t threads) {
  const size_t stride = scorer.plan().code_size;
  const size_t parts = worth(threads, n, stride);
  std::vector<TopK> best(parts, TopK(k));
  parallel_ranges(n, parts, [&](size_t part, size_t begin, size_t end) {
    Chunk chunk(codes, stride, allowed);
    OneScan scan(scorer, query, k);
    for (size_t at = begin; at < end; at += chunk_rows) {
      const size_t count = std::min(chunk_rows, end - at);
      scan.add(chunk.rows(at, count), at, count, chunk);
    }
    best[part] = scan.finish();
  });
  for (size_t part = 1; part < parts; ++part) best[0].merge(best[part]);
  return best[0].sorted();
}

}  // namespace

Scorer::Scorer(const Plan& plan)
    : plan_(plan), kernels_(kernels_of(active_level())), form_(tail_form(plan)) {}

void Scorer::exact(const uint8_t* rows, size_t n, const Query& query, float* out) const {
  Tails read;
  tails(rows, n, read);
  exact(rows, n, query, read, out);
}

void Scorer::exact(const uint8_t* rows, size_t n, const Query& query, const Tails& tails,
                   float* out) const {
  kernels_.trellis_dot(rows, n, plan_.program->view(), query.view, out);
  const ScoreTerms terms = {query.t, query.gamma, plan_.set.lists == 1, nullptr};
  kernels_.trellis_tail->score(tails, n, terms, out);
}

void Scorer::bound(const uint8_t* rows, size_t n, const Query& query, const Tails& tails,
                   float* out) const {
  PlaneView first = query.view;
  first.planes = 1;
  kernels_.trellis_dot(rows, n, plan_.program->view(), first, out);
  const ScoreTerms terms = {query.t, query.gamma, plan_.set.lists == 1, query.err};
  kernels_.trellis_tail->score(tails, n, terms, out);
}

void Scorer::sift(const uint8_t* rows, size_t n, const Query& query, float threshold,
                  uint64_t* pass) const {
  const ScoreTerms terms = {query.t, query.gamma, true, query.err};
  kernels_.trellis_tail->sift(rows, n, plan_.program->view(), query.view, form_, terms, threshold,
                              pass);
}

bool Scorer::can_sift() const {
  return kernels_.trellis_tail->sift != nullptr && plan_.set.lists == 1 &&
         plan_.set.scalar_bytes == 1 && plan_.code_size >= shortest_row;
}

std::vector<std::vector<Hit>> search(const Plan& plan, const Codes& codes, const Queries& queries,
                                     const int64_t* allowed, size_t n_allowed, size_t k,
                                     size_t threads) {
  const Scorer scorer(plan);
  if (queries.size() >= worth_batch) {
    return search_batch(scorer, codes, queries, allowed, n_allowed, k, threads);
  }
  const size_t n = allowed == nullptr ? codes.n : n_allowed;
  std::vector<std::vector<Hit>> hits;
  for (size_t i = 0; i < queries.size(); ++i) {
    hits.push_back(search_one(scorer, codes, queries[i], allowed, n, k, threads));
  }
  return hits;
}

void score_all(const Plan& plan, const Codes& codes, const Queries& queries, size_t threads,
               float* out) {
  const Scorer scorer(plan);
  const size_t looks = codes.n * std::max<size_t>(1, queries.size());
  const size_t parts = worth(threads, looks, plan.code_size);
  parallel_ranges(codes.n, parts, [&](size_t, size_t begin, size_t end) {
    Tails tails;
    for (size_t at = begin; at < end; at += chunk_rows) {
      const size_t n = std::min(chunk_rows, end - at);
      const uint8_t* rows = codes.data + at * plan.code_size;
      scorer.tails(rows, n, tails);
      for (size_t i = 0; i < queries.size(); ++i) {
        scorer.exact(rows, n, queries[i], tails, out + i * codes.n + at);
      }
    }
  });
}

void score_rows(const Plan& plan, const Codes& codes, const Queries& queries, const int64_t* rows,
                size_t m, size_t threads, float* out) {
  const Scorer scorer(plan);
  const size_t stride = plan.code_size;
  parallel_ranges(queries.size(), worth(threads, m * queries.size(), stride),
                  [&](size_t, size_t begin, size_t end) {
    std::vector<uint8_t> copy(chunk_rows * stride);
    for (size_t i = begin; i < end; ++i) {
      for (size_t at = 0; at < m; at += chunk_rows) {
        const size_t n = std::min(chunk_rows, m - at);
        const int64_t* wanted = rows + i * m + at;
        float* to = out + i * m + at;
        for (size_t c = 0; c < n; ++c) {
          const size_t row = static_cast<size_t>(std::max<int64_t>(0, wanted[c]));
          std::memcpy(copy.data() + c * stride, codes.data + row * stride, stride);
        }
        scorer.exact(copy.data(), n, queries[i], to);
        for (size_t c = 0; c < n; ++c) {
          if (wanted[c] < 0) to[c] = -std::numeric_limits<float>::infinity();
        }
      }
    }
  });
}

}  // namespace fewbits::trellis
