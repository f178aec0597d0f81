// bind.h - the encoder's binding.
#pragma once
#include <nanobind/nanobind.h>

namespace fewbits::encoder {
void bind_encoder(nanobind::module_& m);
}
