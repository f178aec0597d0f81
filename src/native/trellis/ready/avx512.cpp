#include <immintrin.h>

#include "ready.h"

namespace fewbits::trellis {
namespace {
#include "body.h"
}  // namespace

const ReadySteps ready_avx512 = {start, planes};

}  // namespace fewbits::trellis
