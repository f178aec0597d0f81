#include "dot.h"

#include <immintrin.h>

#include <cstring>

namespace fewbits::trellis {
namespace {

#include "avx512.h"
#include "walk.h"

}  // namespace

void dot_avx512(const uint8_t* rows, size_t n, const ProgramView& program, const PlaneView& query,
                float* out) {
  (query.planes == 2 ? dot_all<2> : dot_all<1>)(rows, n, program, query, out);
}

}  // namespace fewbits::trellis
