// ready.h - what making a query ready does, around project: see query.h.
// Every operation is rounded once, sums of doubles are taken in eight lanes (encode/encode.h).
#pragma once
#include <cstddef>
#include <cstdint>

#include "../plan.h"

namespace fewbits::trellis {

// What the planes of every query of a plan share; one value per pseudo-column each.
struct PlaneRules {
  const Plan* plan = nullptr;
  const double* scale = nullptr;  // gain * 2^-24
  const int16_t* most = nullptr;  // of |2 U - off2|
};

// Room for the columns of one query.
struct PlaneRoom {
  double* g = nullptr;              // (m,)
  double* e = nullptr;              // (pseudo,)
  int16_t* level[2] = {nullptr, nullptr};  // (pseudo,)
};

// What is found on the way. Sums are over the pseudo-columns.
struct PlaneSums {
  double spread = 0;   // of (g sigma)^2
  double largest = 0;  // |e|
  double unit = 1;     // of plane 1's levels
  int32_t base[2] = {0, 0};     // level * off2
  int32_t sum[2] = {0, 0};      // level
  int32_t size[2] = {0, 0};     // |level| * most
  int32_t squares[2] = {0, 0};  // level^2
  int32_t sizes[2] = {0, 0};    // |level|
};

struct ReadySteps {
  // wide: the d values of q, normalised for cosine, then zeros up to a multiple of 8;
  // row: wide scaled to length 32766, as integers; zeros if wide is. Returns <wide, wide>.
  double (*start)(const float* q, size_t d, bool normalise, double* wide, int16_t* row);
  // products: <basis, row>; unit: their unit; plain: a plane's bytes each.
  void (*planes)(const PlaneRules& rules, const int32_t* products, double unit,
                 const PlaneRoom& room, int8_t* const* plain, PlaneSums& out);
};

extern const ReadySteps ready_scalar, ready_avx2, ready_avx512, ready_neon;

}  // namespace fewbits::trellis
