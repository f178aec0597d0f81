// lists.h - the best rows among the lists (codes sorted by centroid) that are nearest to a query.
#pragma once
#include <vector>

#include "scan.h"

namespace fewbits::trellis {

struct Lists {
  const int64_t* offsets = nullptr;  // (lists + 1,): list l is rows [offsets[l], offsets[l + 1])
  const uint8_t* alive = nullptr;    // (n,): rows to look at; null for all
};

struct Probing {
  size_t probes = 0;    // lists to visit at most; 0: no limit
  double margin = -1;   // below 0: no early stop
};

// A query visits lists by descending gamma, the first of equals first. With a margin it stops where
// it holds k hits and gamma + margin * noise < the k-th best score.
// `probed`: lists visited by each query, empty ones included.
std::vector<std::vector<Hit>> search_lists_batch(const Scorer& scorer, const Codes& codes,
                                                 const Lists& lists, const Queries& queries,
                                                 size_t k, const Probing& probing, size_t threads,
                                                 int32_t* probed);

}  // namespace fewbits::trellis
