// dot.h - trellis code rows times the planes of one query.
//   v = float(2 <U, plane[0]> - base2[0]) * weight[0]  (+ the same with plane[1], added last)
// U: the stored values of plan.h. Sums are exact int32; each float operation is rounded once, in
// this order: every level returns the same bits.
//
// The wide levels read a row as words: 8 bytes that start anywhere in it, those of several rows
// side by side. A step turns a word of every row into the U of 8 columns; byte b of the result is
// column order[8 * step + b]. program.h says how a plan becomes steps.
// in : rows `stride` bytes apart, any alignment; nothing outside the n rows is read
// acc: int32, exact: 255 * 127 * 2 * 16,384 < 2^31
#pragma once
#include <cstddef>
#include <cstdint>

namespace fewbits::trellis {

enum class Move : uint8_t {
  shift,  // bits [control, control + 64) of a word and its successor: every byte is a window
  pick,   // 8 windows of a word, at the bits that the bytes of `control` name
  keep,   // the word's bytes are the values
};

struct Step {
  uint64_t control;
  uint32_t word;  // counted from the piece's first
};

// The windows of a pick as 16-bit lanes: bytes to fetch, and the factor that moves a window to the
// top of its lane.
struct Lanes {
  uint8_t byte[16];
  uint16_t scale[8];
};

// Neighbouring steps of one kind.
struct Stretch {
  uint32_t begin, end;
  Move move;
  uint8_t table;
};

// So many loads that a tile of their words stays in the nearest cache.
struct Piece {
  uint32_t load_begin, load_end;
  uint32_t stretch_begin, stretch_end;
};

// Columns as the scalar kernel reads them.
struct Field {
  uint32_t column, columns;  // plain pseudo-column order
  uint32_t first_bit;        // of the first column's window; counts from the start of a row
  uint32_t before;           // bits of the window that precede first_bit
  uint32_t bits;             // from one column to the next
  uint8_t table;             // windows of 6 bits; none: bytes
};

inline constexpr size_t lut_count = 6;
inline constexpr uint8_t no_table = lut_count;
inline constexpr size_t most_words = 32;  // of a piece
// Loads of 16 bytes that stay within so many reach every word of a row; shorter rows are copied.
inline constexpr size_t shortest_row = 22;

struct ProgramView {
  size_t stride = 0, steps = 0;
  const Step* step = nullptr;
  const Lanes* lanes = nullptr;    // (steps,)
  const int32_t* offset = nullptr;  // of each load of 16 bytes, 2 words; -1: a zero comes first
  const Stretch* stretch = nullptr;
  const Piece* piece = nullptr;
  size_t pieces = 0;
  const Field* field = nullptr;
  size_t fields = 0;
  const uint8_t (*lut)[64] = nullptr;  // (lut_count, 64)
};

struct PlaneView {
  const int8_t* plain[2] = {nullptr, nullptr};  // pseudo-column order
  const int8_t* steps[2] = {nullptr, nullptr};  // step order, 8 bytes a step
  int32_t base2[2] = {0, 0};
  int32_t sum[2] = {0, 0};  // sum of the plane
  float weight[2] = {0, 0};
  int planes = 2;  // 1: the first plane's term alone
};

using DotFn = void(const uint8_t* rows, size_t n, const ProgramView& program,
                   const PlaneView& query, float* out);

DotFn dot_scalar, dot_avx2, dot_avx512, dot_neon;

// The last step, shared by every level. 2 raw may leave int32 before base2 brings it back.
static inline float finish_plane(const PlaneView& q, int p, int32_t raw) {
  const uint32_t centred = 2u * static_cast<uint32_t>(raw) - static_cast<uint32_t>(q.base2[p]);
  return static_cast<float>(static_cast<int32_t>(centred)) * q.weight[p];
}

static inline float finish_planes(const PlaneView& q, const int32_t* raw) {
  float v = finish_plane(q, 0, raw[0]);
  if (q.planes == 2) v = v + finish_plane(q, 1, raw[1]);
  return v;
}

}  // namespace fewbits::trellis
