// dot_i8.h - int8 code rows times int8 query planes.
// in : rows of d signed bytes; plane[p] in natural order, one sub-plane
// acc: int32, exact: 255 * 127 * 65,535 < 2^31 (levels that bias codes by 128 need the 255)
// no int16 saturation on any level: codes are widened, or biased to unsigned for vpdpbusd
// tail: masked loads or the scalar kernel; bytes past d of a row are never read as codes
#pragma once
#include "../query.h"

namespace fewbits {
DotFn dot_i8_scalar, dot_i8_avx2, dot_i8_avx512, dot_i8_neon;
}
