// tail.h - what follows the codes in a row: list number, scale s and bias b; and the score.
//   score = ((v * s) + (t[list] * b)) + gamma[list]
// Each operation is rounded once, in this order: every level returns the same bits.
// rows: any alignment; nothing outside the n rows is read.   n: at most tail_rows
#pragma once
#include <cstddef>
#include <cstdint>

#include "../dot/dot.h"

namespace fewbits::trellis {

inline constexpr size_t tail_rows = 256;

struct TailForm {
  size_t stride = 0;
  size_t id_at = 0, id_bytes = 0;
  size_t s_at = 0, scalar_bytes = 1;  // b follows s
  uint32_t last_list = 0;             // numbers above it, which no encoder writes, count as it
  float s_low = 0, s_step = 1, b_low = 0, b_step = 1;
};

// list may be left alone where the form has no id: all rows are of list 0.
struct Tails {
  alignas(64) float s[tail_rows];
  alignas(64) float b[tail_rows];
  alignas(64) uint32_t list[tail_rows];
};

using TailFn = void(const uint8_t* rows, size_t n, const TailForm& form, Tails& out);

struct ScoreTerms {
  const float* t = nullptr;      // (lists,): gamma itself, or all the same
  const float* gamma = nullptr;  // (lists,)
  bool one_list = true;
  // Null: scores. Else score + ((|s| * err[0] + |b| * err[1]) + err[2]): v may be off by err[0].
  const float* err = nullptr;
};

// In place: values holds v on entry.
using ScoreFn = void(const Tails& tails, size_t n, const ScoreTerms& terms, float* values);

// Which rows may reach the threshold, going by the first plane; others do not. Bit i % 64 of
// pass[i / 64] is row i; rows past the last whole 64 pass unseen. One list, scalars of 1 byte,
// rows of shortest_row bytes or more; err: see ScoreTerms.
using TailSiftFn = void(const uint8_t* rows, size_t n, const ProgramView& program,
                    const PlaneView& query, const TailForm& form, const ScoreTerms& terms,
                    float threshold, uint64_t* pass);

struct TailSteps {
  TailFn* read;
  ScoreFn* score;
  TailSiftFn* sift = nullptr;  // none: bounds come from the other two
};

extern const TailSteps tail_scalar, tail_avx2, tail_avx512, tail_neon;

}  // namespace fewbits::trellis
