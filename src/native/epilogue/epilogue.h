// epilogue.h - from dot products to scores in metric units, with the factors stored in each row.
//   score = ((v * alpha + beta * t) + -nu) + gamma
// alpha, beta, nu: float32, little-endian, unaligned, at row + offset, in this order, where present;
// an absent factor leaves its operation out. t, gamma: per query. Each operation is rounded once.
#pragma once
#include <cstddef>
#include <cstdint>

namespace fewbits {

struct Factors {
  size_t offset = 0;  // bytes from the start of a row to its first factor
  bool alpha = false;
  bool beta = false;
  bool nu = false;
};

// In place: values holds v on entry, scores on return.
using EpilogueFn = void(const uint8_t* rows, size_t n, size_t stride, const Factors& factors,
                        float t, float gamma, float* values);

// Gathering the strided factors with wider registers gains nothing measurable: one text for all.
EpilogueFn epilogue_scalar;

}  // namespace fewbits
