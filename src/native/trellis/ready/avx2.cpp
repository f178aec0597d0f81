#include <immintrin.h>

#include "ready.h"

namespace fewbits::trellis {
namespace {
#include "body.h"
}  // namespace

const ReadySteps ready_avx2 = {start, planes};

}  // namespace fewbits::trellis
