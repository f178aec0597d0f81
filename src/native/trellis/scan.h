// scan.h - score trellis code rows against prepared queries: all, some, lists, or the best k.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../scan.h"
#include "../table.h"
#include "../topk.h"
#include "plan.h"
#include "query.h"
#include "tail/tail.h"

namespace fewbits::trellis {

inline constexpr size_t chunk_rows = tail_rows;

// One plan's kernels at the level that was active when the call began. n: at most chunk_rows.
class Scorer {
 public:
  explicit Scorer(const Plan& plan);

  void tails(const uint8_t* rows, size_t n, Tails& out) const {
    kernels_.trellis_tail->read(rows, n, form_, out);
  }
  // out[i] = score of row i and the query.
  void exact(const uint8_t* rows, size_t n, const Query& query, float* out) const;
  void exact(const uint8_t* rows, size_t n, const Query& query, const Tails& tails,
             float* out) const;
  // out[i]: no less than the score of row i, from the first plane; may be NaN.
  void bound(const uint8_t* rows, size_t n, const Query& query, const Tails& tails,
             float* out) const;
  // Bit i % 64 of pass[i / 64]: row i may score `threshold` or more. Where can_sift().
  void sift(const uint8_t* rows, size_t n, const Query& query, float threshold,
            uint64_t* pass) const;
  bool can_sift() const;
  size_t select(const float* scores, size_t n, float threshold, uint16_t* out) const {
    return kernels_.select(scores, n, threshold, out);
  }
  const Plan& plan() const { return plan_; }
  const Kernels& kernels() const { return kernels_; }

 private:
  const Plan& plan_;
  Kernels kernels_;
  TailForm form_;
};

// Best k rows of each query. `allowed`: ascending row numbers to look at, or null for all n rows.
std::vector<std::vector<Hit>> search(const Plan& plan, const Codes& codes, const Queries& queries,
                                     const int64_t* allowed, size_t n_allowed, size_t k,
                                     size_t threads);

// out[i * n + r] = score of query i and row r.
void score_all(const Plan& plan, const Codes& codes, const Queries& queries, size_t threads,
               float* out);

// out[i * m + c] = score of query i and row rows[i * m + c]; -inf where the row number is negative.
void score_rows(const Plan& plan, const Codes& codes, const Queries& queries, const int64_t* rows,
                size_t m, size_t threads, float* out);

}  // namespace fewbits::trellis
