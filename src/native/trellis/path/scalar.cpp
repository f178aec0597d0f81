#include "path.h"

#include <algorithm>

namespace fewbits::trellis {
namespace {

#include "trace.h"

int32_t saturate(int32_t v) { return std::clamp(v, -32768, 32767); }

uint16_t distance(int width, int16_t y, int window) {
  int32_t e = saturate(y - scaled.level[width - 1][window]);
  for (int i = 0; i < doublings[width - 1]; ++i) e = saturate(2 * e);
  return static_cast<uint16_t>(e * e >> 16);
}

// out[j] = min(out[j], out[j + half]); bit j of the result: the second was smaller.
uint32_t keep_smaller(uint16_t* costs, int half) {
  uint32_t chosen = 0;
  for (int j = 0; j < half; ++j) {
    if (costs[j + half] >= costs[j]) continue;
    costs[j] = costs[j + half];
    chosen |= 1u << j;
  }
  return chosen;
}

void add_column(int width, int16_t y, uint16_t* costs, uint32_t* choices) {
  uint16_t before[states], after[windows];
  std::copy(costs, costs + states, before);
  for (int fold = 1; fold < width; ++fold) {
    choices[static_cast<size_t>(fold) * path_rows] = keep_smaller(before, states >> fold);
  }
  for (int w = 0; w < windows; ++w) {
    const int32_t sum = before[w >> width] + distance(width, y, w);
    after[w] = static_cast<uint16_t>(std::min(sum, 65535));
  }
  choices[0] = keep_smaller(after, states);
  std::copy(after, after + states, costs);
}

}  // namespace

void path_scalar(const Plan& plan, const int32_t* y, size_t y_stride, size_t n,
                 const PathScratch& scratch, uint8_t* codes, size_t stride) {
  for (size_t i = 0; i < n; ++i) {
    uint16_t* costs = scratch.costs[i];
    std::fill(costs, costs + states, unreachable);
    costs[0] = 0;
    for (const Run& run : plan.runs) {
      if (run.width > most_trellis_width) break;
      for (size_t c = 0; c < run.columns; ++c) {
        const size_t bit = 8 * run.byte + c * static_cast<size_t>(run.width);
        const int16_t target = static_cast<int16_t>(y[i * y_stride + run.column + c]);
        add_column(run.width, target, costs, scratch.choices + bit * path_rows + i);
        if (c % group_columns != group_columns - 1) continue;
        const uint16_t least = *std::min_element(costs, costs + states);
        for (int s = 0; s < states; ++s) costs[s] = static_cast<uint16_t>(costs[s] - least);
      }
    }
  }
  trace(plan, scratch, n, codes, stride);
}

}  // namespace fewbits::trellis
