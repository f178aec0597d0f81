#include "refine.h"

#include <algorithm>
#include <cstring>

#include "../threads.h"

namespace fewbits::trellis {
namespace {

constexpr size_t round_rows = 32;     // candidates between two looks at the bound
constexpr size_t worth_queries = 16;  // a thread's least work

const uint8_t* find(const std::vector<Part>& parts, int64_t row, size_t stride) {
  const auto after = std::upper_bound(parts.begin(), parts.end(), row,
                                      [](int64_t r, const Part& part) { return r < part.start; });
  const Part& part = *(after - 1);
  return part.codes.data + static_cast<size_t>(row - part.start) * stride;
}

// One thread's work: buffers are kept from query to query.
class Refiner {
 public:
  Refiner(const Plan& plan, const std::vector<Part>& parts)
      : scorer_(plan), parts_(parts), copy_(round_rows * plan.code_size) {}

  std::vector<Hit> operator()(const Query& query, const Candidates& from, size_t i, size_t k) {
    const float* scores = from.scores + i * from.count;
    const int64_t* rows = from.rows + i * from.count;
    TopK best(k);
    for (size_t at = 0; at < from.count; at += round_rows) {
      if (scores[at] + from.reach[i] < best.threshold()) break;
      const size_t n = std::min(round_rows, from.count - at);
      if (at == 0) fetch(rows, n);
      fetch(rows + at + n, std::min(round_rows, from.count - at - n));
      score(query, rows + at, n);
      for (size_t c = 0; c < n; ++c) {
        if (rows[at + c] < 0) continue;
        const float fine = fine_[c] + from.offset[i];
        const float both = scores[at + c] + fine;
        best.push({both == both ? both : -std::numeric_limits<float>::infinity(), rows[at + c]});
      }
    }
    return best.sorted();
  }

 private:
  // Of rows to be scored soon: they lie anywhere, so that each would be waited for.
  void fetch(const int64_t* rows, size_t n) const {
    const size_t stride = scorer_.plan().code_size;
    for (size_t c = 0; c < n; ++c) {
      if (rows[c] < 0) continue;
      const uint8_t* row = find(parts_, rows[c], stride);
      for (size_t at = 0; at < stride; at += 64) __builtin_prefetch(row + at, 0, 2);
      __builtin_prefetch(row + stride - 1, 0, 2);
    }
  }

  void score(const Query& query, const int64_t* rows, size_t n) {
    const size_t stride = scorer_.plan().code_size;
    for (size_t c = 0; c < n; ++c) {
      if (rows[c] < 0) continue;
      std::memcpy(copy_.data() + c * stride, find(parts_, rows[c], stride), stride);
    }
    scorer_.exact(copy_.data(), n, query, fine_);
  }

  Scorer scorer_;
  const std::vector<Part>& parts_;
  std::vector<uint8_t> copy_;
  float fine_[round_rows];
};

}  // namespace

std::vector<std::vector<Hit>> refine(const Plan& plan, const std::vector<Part>& parts,
                                     const Queries& queries, const Candidates& candidates,
                                     size_t k, size_t threads) {
  std::vector<std::vector<Hit>> hits(queries.size());
  const size_t worth = std::max<size_t>(1, std::min(threads, queries.size() / worth_queries));
  parallel_ranges(queries.size(), worth, [&](size_t, size_t begin, size_t end) {
    Refiner refiner(plan, parts);
    for (size_t i = begin; i < end; ++i) hits[i] = refiner(queries[i], candidates, i, k);
  });
  return hits;
}

}  // namespace fewbits::trellis
