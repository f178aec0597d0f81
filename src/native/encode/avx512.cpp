#include "encode.h"

#include "../dot_f16/dot_f16.h"

namespace fewbits {
namespace {
#include "body.h"
}  // namespace

void encode_avx512(const float* x, size_t n, const EncodePlan& plan, float* scratch, uint8_t* out) {
  encode_all(x, n, plan, scratch, out);
}

}  // namespace fewbits
