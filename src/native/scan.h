// scan.h - score code rows against prepared queries: all of them, some of them, or the best k.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "form.h"
#include "table.h"
#include "topk.h"

namespace fewbits {

struct Codes {
  const uint8_t* data = nullptr;
  size_t n = 0;
};

// Float queries made ready for the kernels of a form: int8 planes (permuted, zero padded, aligned)
// and the metric's constants. fewbits/vectors/queries.py is the same in numpy, bit for bit.
class PreparedQueries {
 public:
  // q: n x d floats, finite (the gate).
  PreparedQueries(const Form& form, const float* q, size_t n);
  size_t size() const { return views_.size(); }
  const QueryView& operator[](size_t i) const { return views_[i]; }
  float t(size_t i) const { return t_[i]; }
  float gamma(size_t i) const { return gamma_[i]; }

 private:
  void add(const Form& form, const float* q, size_t i, double* wide, uint8_t* at);

  std::vector<QueryView> views_;
  std::vector<float> t_, gamma_;
  std::vector<uint8_t> storage_;
};

// Best k rows of each query. `allowed`: ascending row numbers to look at, or null for all n rows.
std::vector<std::vector<Hit>> search(const Layout& layout, const Codes& codes,
                                     const PreparedQueries& queries, const int64_t* allowed,
                                     size_t n_allowed, size_t k, size_t threads);

// out[i * n + r] = score of query i and row r.
void score_all(const Layout& layout, const Codes& codes, const PreparedQueries& queries,
               size_t threads, float* out);

// out[i * m + c] = score of query i and row rows[i * m + c]; -inf where the row number is negative.
void score_rows(const Layout& layout, const Codes& codes, const PreparedQueries& queries,
                const int64_t* rows, size_t m, size_t threads, float* out);

}  // namespace fewbits
