// encode.h - float32 rows to trellis code rows, and rows to their nearest lists.
#pragma once
#include <cstddef>
#include <cstdint>

#include "plan.h"

namespace fewbits::trellis {

// x: n rows of d finite floats; extra: n doubles added to the biases, or null.
// codes: n rows of code_size bytes; distortion: n floats, the share of each row's weighted energy
// that its code does not hold.
void encode(const Plan& plan, const float* x, const double* extra, size_t n, size_t threads,
            uint8_t* codes, float* distortion);

// lists[i] = the nearest centroid of row i.
void assign(const Plan& plan, const float* x, size_t n, size_t threads, int32_t* lists);

}  // namespace fewbits::trellis
