#include "bytes.h"

namespace fewbits::trellis {
namespace {
#include "body.h"
}  // namespace

const RowSteps rows_avx2 = {start, nearest, centre, quantize, finish};

}  // namespace fewbits::trellis
