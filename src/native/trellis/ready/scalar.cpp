#include "ready.h"

namespace fewbits::trellis {
namespace {
#include "body.h"
}  // namespace

const ReadySteps ready_scalar = {start, planes};

}  // namespace fewbits::trellis
