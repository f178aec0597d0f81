#include "dot.h"

#include <immintrin.h>

#include <cstring>

namespace fewbits::trellis {
namespace {

constexpr size_t lanes = 4;          // rows per register
constexpr int large = 2, small = 2;  // registers of rows at once

// Sums of `blocks` times 4 rows: each row has two neighbouring lanes.
using Sum = __m256i;
template <int blocks, int planes>
using Sums = Sum[planes][blocks];

inline __m256i repeat(const void* word) {
  long long value;
  std::memcpy(&value, word, sizeof value);
  return _mm256_set1_epi64x(value);
}

inline __m128i load16(const void* at) {
  return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

// 16 bytes of rows 0 and 2 of the rows from `at` on.
inline __m256i load_rows(const uint8_t* at, size_t stride, bool moved) {
  const __m256i rows = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(at)),
                                               load16(at + 2 * stride), 1);
  return moved ? _mm256_slli_si256(rows, 1) : rows;
}

inline void store(uint64_t* at, __m256i value) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(at), value);
}

inline __m256i load(const uint64_t* at) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(at));
}

// tile[word][row]: the words of a piece, of 4 `blocks` rows.
template <int blocks>
inline void fill_tile(const uint8_t* rows, size_t stride, const ProgramView& program,
                      const Piece& piece, uint64_t* tile) {
  for (uint32_t l = piece.load_begin; l < piece.load_end; ++l, tile += 2 * lanes * blocks) {
    const bool moved = program.offset[l] < 0;
    const uint8_t* at = rows + (moved ? 0 : program.offset[l]);
    for (int b = 0; b < blocks; ++b, at += lanes * stride) {
      const __m256i even = load_rows(at, stride, moved);
      const __m256i odd = load_rows(at + stride, stride, moved);
      store(tile + lanes * b, _mm256_unpacklo_epi64(even, odd));
      store(tile + lanes * (blocks + b), _mm256_unpackhi_epi64(even, odd));
    }
  }
}

// The 64 values of a table less 128, in registers of 16.
struct Table {
  __m256i part[4];

  explicit Table(const uint8_t* lut) {
    for (int i = 0; i < 4; ++i) {
      const __m128i values = _mm_xor_si128(load16(lut + 16 * i), _mm_set1_epi8(-128));
      part[i] = _mm256_broadcastsi128_si256(values);
    }
  }

  // By the low 6 bits of every byte.
  __m256i operator()(__m256i bits) const {
    const __m256i at = _mm256_and_si256(bits, _mm256_set1_epi8(63));
    const __m256i bit4 = _mm256_slli_epi16(bits, 3), bit5 = _mm256_slli_epi16(bits, 2);
    const __m256i low = _mm256_blendv_epi8(_mm256_shuffle_epi8(part[0], at),
                                           _mm256_shuffle_epi8(part[1], at), bit4);
    const __m256i high = _mm256_blendv_epi8(_mm256_shuffle_epi8(part[2], at),
                                            _mm256_shuffle_epi8(part[3], at), bit4);
    return _mm256_blendv_epi8(low, high, bit5);
  }
};

// One half of a register's windows, at the top of 16 bits each.
inline __m256i pick_half(__m256i word, __m256i byte, __m256i scale) {
  return _mm256_srli_epi16(_mm256_mullo_epi16(_mm256_shuffle_epi8(word, byte), scale), 10);
}

// What a step needs to make windows of words.
template <Move move>
struct Windows {
  __m256i byte, scale;
  __m128i down, up;

  Windows(const ProgramView& program, size_t step) {
    if (move == Move::pick) {
      byte = _mm256_broadcastsi128_si256(load16(program.lanes[step].byte));
      scale = _mm256_broadcastsi128_si256(load16(program.lanes[step].scale));
    } else {
      const int count = static_cast<int>(program.step[step].control);
      down = _mm_cvtsi32_si128(count);
      up = _mm_cvtsi32_si128(64 - count);
    }
  }

  __m256i operator()(const uint64_t* tile, size_t next) const {
    const __m256i word = load(tile);
    if (move == Move::keep) return word;
    if (move == Move::shift) {
      return _mm256_or_si256(_mm256_srl_epi64(word, down), _mm256_sll_epi64(load(tile + next), up));
    }
    const __m256i second = _mm256_add_epi8(byte, _mm256_set1_epi8(8));
    return _mm256_packus_epi16(pick_half(word, byte, scale), pick_half(word, second, scale));
  }
};

// sum += values times plane. |values| <= 128, |plane| <= 127: two products fit int16.
inline __m256i multiply_add(__m256i sum, __m256i values, __m256i size, __m256i plane) {
  const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(plane, values));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

template <Move move, int blocks, int planes>
inline void add_stretch(const ProgramView& program, const Stretch& stretch, const PlaneView& query,
                        const uint64_t* tile, Sums<blocks, planes>& sum) {
  constexpr size_t next = lanes * blocks;
  const Table table(program.lut[move == Move::keep ? 0 : stretch.table]);
  for (uint32_t s = stretch.begin; s < stretch.end; ++s) {
    const Windows<move> windows(program, s);
    const uint64_t* at = tile + program.step[s].word * next;
    for (int b = 0; b < blocks; ++b) {
      const __m256i bits = windows(at + lanes * b, next);
      const __m256i values =
          move == Move::keep ? _mm256_xor_si256(bits, _mm256_set1_epi8(-128)) : table(bits);
      const __m256i size = _mm256_abs_epi8(values);
      for (int p = 0; p < planes; ++p) {
        sum[p][b] = multiply_add(sum[p][b], values, size, repeat(query.steps[p] + 8 * s));
      }
    }
  }
}

// finish_plane of 8 rows; what the values lack of U is made good here.
inline __m256 finish_pair(const PlaneView& q, int p, __m256i a, __m256i b) {
  const __m256i order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
  const __m256i raw = _mm256_permutevar8x32_epi32(_mm256_hadd_epi32(a, b), order);
  const __m256i lack = _mm256_set1_epi32(q.base2[p] - 256 * q.sum[p]);
  const __m256i centred = _mm256_sub_epi32(_mm256_add_epi32(raw, raw), lack);
  return _mm256_mul_ps(_mm256_cvtepi32_ps(centred), _mm256_set1_ps(q.weight[p]));
}

template <int blocks, int planes>
inline void finish(const PlaneView& q, const Sums<blocks, planes>& sum, size_t n, float* out) {
  __m256 v = finish_pair(q, 0, sum[0][0], sum[0][1]);
  if (planes == 2) v = _mm256_add_ps(v, finish_pair(q, 1, sum[planes - 1][0], sum[planes - 1][1]));
  float eight[8];
  _mm256_storeu_ps(eight, v);
  std::memcpy(out, eight, n * sizeof(float));
}

#include "walk.h"

}  // namespace

void dot_avx2(const uint8_t* rows, size_t n, const ProgramView& program, const PlaneView& query,
              float* out) {
  (query.planes == 2 ? dot_all<2> : dot_all<1>)(rows, n, program, query, out);
}

}  // namespace fewbits::trellis
