// dot_b1.h - 1-bit code rows times int8 query planes (an asymmetric binary score).
// in : rows of ceil(d/8) bytes, dimension 8b+i in bit 7-i of byte b (numpy.packbits order)
//      plane[p][8b + i] holds dimension 8b + 7 - i: bit i of byte b counted from the least
//      significant, the order in which mask registers number their bits
// acc: int32, exact: 127 * 65,535 < 2^31
// tail: a pad bit meets a zero of the plane, so its value does not matter
#pragma once
#include "../query.h"

namespace fewbits {
DotFn dot_b1_scalar, dot_b1_avx2, dot_b1_avx512, dot_b1_neon;
}
