// unpack.h - the stored values U of code rows, for decoding.
#pragma once
#include <cstddef>
#include <cstdint>

#include "plan.h"

namespace fewbits::trellis {

// Pseudo-columns of a plan: bytes of an unpacked row.
size_t unpacked_size(const Plan& plan);

// out: n x unpacked_size(plan).
void unpack(const Plan& plan, const uint8_t* codes, size_t n, size_t threads, uint8_t* out);

}  // namespace fewbits::trellis
