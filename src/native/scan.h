// scan.h - score code rows against prepared queries: all of them, some of them, or the best k.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "encode/encode.h"
#include "table.h"
#include "topk.h"

namespace fewbits {

// How code rows are laid out: `payload` bytes of codes, then the factors.
struct Layout {
  Packing packing = Packing::i8;
  bool hamming = false;  // b1 only: the query is packed bits, too
  size_t d = 0;
  size_t stride = 0;
  int32_t gain = 1;
  Factors factors;
};

struct Codes {
  const uint8_t* data = nullptr;
  size_t n = 0;
};

// Queries as the caller gives them, natural order of dimensions.
struct QueryArrays {
  size_t n = 0;
  size_t planes = 1;
  const int8_t* plane = nullptr;    // (n, planes, d); hamming: (n, 1, ceil(d/8)) bytes
  const float* dense = nullptr;     // (n, d) for f16
  const float* weight = nullptr;    // (n, planes)
  const int32_t* base = nullptr;    // (n, planes)
  const float* t = nullptr;         // (n)
  const float* gamma = nullptr;     // (n)
};

// Queries laid out for the kernels: permuted, zero padded, aligned.
class PreparedQueries {
 public:
  PreparedQueries(const Layout& layout, const QueryArrays& arrays);
  size_t size() const { return views_.size(); }
  const QueryView& operator[](size_t i) const { return views_[i]; }
  float t(size_t i) const { return t_[i]; }
  float gamma(size_t i) const { return gamma_[i]; }

 private:
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
