// bind.h - what the bindings of trellis codes share.
#pragma once
#include <nanobind/nanobind.h>

#include "../ndarrays.h"

namespace fewbits::trellis {

void bind_trellis(nanobind::module_& m);       // the plan and encoding
void bind_trellis_scan(nanobind::module_& m);  // scores and search

}  // namespace fewbits::trellis
