// dot_trit.h - base-3 code rows (5 digits per byte) times int8 query planes.
// in : rows of ceil(d/5) bytes; digit k of byte b is ((b * 3^k mod 256) * 3) >> 8, dimension 5b+k
//      sub-plane k of plane[p] holds dimensions k, 5+k, 10+k, ... (zero padded)
// acc: int32, exact: 2 * 127 * 65,535 < 2^31; int16 partial sums hold at most 32 x 2 x 2 x 127
// tail: a pad digit meets a zero of the plane, so its value does not matter
#pragma once
#include "../query.h"

namespace fewbits {
DotFn dot_trit_scalar, dot_trit_avx2, dot_trit_avx512, dot_trit_neon;
}
