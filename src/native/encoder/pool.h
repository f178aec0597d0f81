// pool.h - token rows to one row per sequence.
// With rows h_1 ... h_L of which the first `skip` belong to a prompt: cls = h_(skip+1), last = h_L,
// max and mean over i > skip, mean_sqrt = sum / sqrt(L - skip), weighted = sum(i h_i) / sum(i) over
// i > skip. Where nothing remains the result is zero.
#pragma once
#include "model.h"

namespace fewbits::encoder {

// Writes `width` floats per mode, one mode after the other.
void pool(const std::vector<Pool>& modes, const float* rows, size_t length, size_t width,
          size_t skip, float* out);

}  // namespace fewbits::encoder
