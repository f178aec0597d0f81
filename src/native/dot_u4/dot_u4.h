// dot_u4.h - 4-bit code rows times int8 query planes.
// in : rows of ceil(d/2) bytes, dimension 2b in the high nibble of byte b, 2b+1 in the low nibble
//      sub-plane 0 of plane[p]: even dimensions; sub-plane 1: odd dimensions (zero padded)
// acc: int32, exact: 15 * 127 * 65,535 < 2^31; int16 partial sums hold at most 8 x 2 x 15 x 127
// tail: a pad nibble meets a zero of the plane, so its value does not matter
#pragma once
#include "../query.h"

namespace fewbits {
DotFn dot_u4_scalar, dot_u4_avx2, dot_u4_avx512, dot_u4_neon;
}
