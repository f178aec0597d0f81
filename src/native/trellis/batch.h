// batch.h - the best rows of many queries: rows are unpacked once for all of them (block/).
// Scores and rows are those of one query at a time, bit for bit.
#pragma once
#include <vector>

#include "scan.h"

namespace fewbits::trellis {

// From so many queries on, unpacking rows once pays.
inline constexpr size_t worth_batch = 4;

// As search of scan.h.
std::vector<std::vector<Hit>> search_batch(const Scorer& scorer, const Codes& codes,
                                           const Queries& queries, const int64_t* allowed,
                                           size_t n_allowed, size_t k, size_t threads);

}  // namespace fewbits::trellis
