#include "dot.h"

#include <arm_neon.h>

#include <cstring>

namespace fewbits::trellis {
namespace {

constexpr size_t lanes = 2;          // rows per register
constexpr int large = 4, small = 2;  // registers of rows at once

// Sums of `blocks` times 2 rows: each row has two neighbouring lanes.
using Sum = int32x4_t;
template <int blocks, int planes>
using Sums = Sum[planes][blocks];

// 16 bytes of a row, after a zero where `moved`.
inline uint64x2_t load_row(const uint8_t* at, bool moved) {
  const uint8x16_t row = vld1q_u8(at);
  return vreinterpretq_u64_u8(moved ? vextq_u8(vdupq_n_u8(0), row, 15) : row);
}

// tile[word][row]: the words of a piece, of 2 `blocks` rows.
template <int blocks>
inline void fill_tile(const uint8_t* rows, size_t stride, const ProgramView& program,
                      const Piece& piece, uint64_t* tile) {
  for (uint32_t l = piece.load_begin; l < piece.load_end; ++l, tile += 2 * lanes * blocks) {
    const bool moved = program.offset[l] < 0;
    const uint8_t* at = rows + (moved ? 0 : program.offset[l]);
    for (size_t b = 0; b < blocks; ++b, at += lanes * stride) {
      const uint64x2_t even = load_row(at, moved), odd = load_row(at + stride, moved);
      vst1q_u64(tile + lanes * b, vtrn1q_u64(even, odd));
      vst1q_u64(tile + lanes * (blocks + b), vtrn2q_u64(even, odd));
    }
  }
}

// What a step needs to make windows of words.
template <Move move>
struct Windows {
  uint8x16_t byte;
  uint16x8_t scale;
  int64x2_t down, up;

  Windows(const ProgramView& program, size_t step) {
    if (move == Move::pick) {
      byte = vld1q_u8(program.lanes[step].byte);
      scale = vld1q_u16(program.lanes[step].scale);
    } else {
      const int64_t count = static_cast<int64_t>(program.step[step].control);
      down = vdupq_n_s64(-count);
      up = vdupq_n_s64(64 - count);
    }
  }

  uint8x16_t half(uint8x16_t word, uint8x16_t from) const {
    const uint16x8_t pairs = vreinterpretq_u16_u8(vqtbl1q_u8(word, from));
    return vreinterpretq_u8_u16(vmulq_u16(pairs, scale));
  }

  uint8x16_t operator()(const uint64_t* tile, size_t next) const {
    const uint64x2_t word = vld1q_u64(tile);
    if (move == Move::shift) {
      return vreinterpretq_u8_u64(
          vorrq_u64(vshlq_u64(word, down), vshlq_u64(vld1q_u64(tile + next), up)));
    }
    const uint8x16_t bytes = vreinterpretq_u8_u64(word);
    if (move == Move::keep) return bytes;
    const uint8x16_t second = half(bytes, vaddq_u8(byte, vdupq_n_u8(8)));
    return vshrq_n_u8(vuzp2q_u8(half(bytes, byte), second), 2);
  }
};

// sum += values times plane. |values| <= 128, |plane| <= 127: two products fit int16.
inline int32x4_t multiply_add(int32x4_t sum, int8x16_t values, int8x16_t plane) {
  const int16x8_t first = vmull_s8(vget_low_s8(values), vget_low_s8(plane));
  const int16x8_t second = vmull_high_s8(values, plane);
  return vpadalq_s16(sum, vpaddq_s16(first, second));
}

template <Move move, int blocks, int planes>
inline void add_stretch(const ProgramView& program, const Stretch& stretch, const PlaneView& query,
                        const uint64_t* tile, Sums<blocks, planes>& sum) {
  constexpr size_t next = lanes * blocks;
  uint8x16x4_t table;
  const uint8_t* lut = program.lut[move == Move::keep ? 0 : stretch.table];
  for (size_t i = 0; i < 4; ++i) table.val[i] = vld1q_u8(lut + 16 * i);
  for (uint32_t s = stretch.begin; s < stretch.end; ++s) {
    const Windows<move> windows(program, s);
    const uint64_t* at = tile + program.step[s].word * next;
    int8x16_t plane[planes];
    for (int p = 0; p < planes; ++p) {
      const int8x8_t eight = vld1_s8(query.steps[p] + 8 * s);
      plane[p] = vcombine_s8(eight, eight);
    }
    for (size_t b = 0; b < blocks; ++b) {
      uint8x16_t values = windows(at + lanes * b, next);
      if (move != Move::keep) values = vqtbl4q_u8(table, vandq_u8(values, vdupq_n_u8(63)));
      const int8x16_t centred = vreinterpretq_s8_u8(veorq_u8(values, vdupq_n_u8(128)));
      for (int p = 0; p < planes; ++p) sum[p][b] = multiply_add(sum[p][b], centred, plane[p]);
    }
  }
}

// finish_plane of 4 rows; what the values lack of U is made good here.
inline float32x4_t finish_pair(const PlaneView& q, int p, int32x4_t a, int32x4_t b) {
  const int32x4_t raw = vpaddq_s32(a, b);
  const int32x4_t lack = vdupq_n_s32(q.base2[p] - 256 * q.sum[p]);
  const int32x4_t centred = vsubq_s32(vaddq_s32(raw, raw), lack);
  return vmulq_f32(vcvtq_f32_s32(centred), vdupq_n_f32(q.weight[p]));
}

template <int blocks, int planes>
inline void finish(const PlaneView& q, const Sums<blocks, planes>& sum, size_t n, float* out) {
  float all[lanes * blocks];
  for (size_t b = 0; b < blocks; b += 2) {
    float32x4_t v = finish_pair(q, 0, sum[0][b], sum[0][b + 1]);
    if (planes == 2) {
      v = vaddq_f32(v, finish_pair(q, 1, sum[planes - 1][b], sum[planes - 1][b + 1]));
    }
    vst1q_f32(all + lanes * b, v);
  }
  std::memcpy(out, all, n * sizeof(float));
}

#include "walk.h"

}  // namespace

void dot_neon(const uint8_t* rows, size_t n, const ProgramView& program, const PlaneView& query,
              float* out) {
  (query.planes == 2 ? dot_all<2> : dot_all<1>)(rows, n, program, query, out);
}

}  // namespace fewbits::trellis
