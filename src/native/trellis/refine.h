// refine.h - score a scan's candidates again, with the codes of what the scan's codes left over.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "scan.h"

namespace fewbits::trellis {

// Rows [start, start + codes.n) of the whole.
struct Part {
  Codes codes;
  int64_t start = 0;
};

// What a scan found for every query: scores descending, row -1 where there is none.
struct Candidates {
  const float* scores = nullptr;  // queries x count
  const int64_t* rows = nullptr;
  size_t count = 0;
  const float* reach = nullptr;   // (queries,): a scan score may be too low by this much
  const float* offset = nullptr;  // (queries,): added to every second score
};

// Best k of each query's candidates by scan score + (second score + offset). Taken in their order,
// until the next one would be below the k-th best even if its scan score were too low by `reach`.
std::vector<std::vector<Hit>> refine(const Plan& plan, const std::vector<Part>& parts,
                                     const Queries& queries, const Candidates& candidates,
                                     size_t k, size_t threads);

}  // namespace fewbits::trellis
