#include "dot_b1.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx512.h"

constexpr size_t chunk = 16;  // row bytes per look-up round: four columns of four bytes
constexpr size_t most_columns = 64;  // tables of one plane stay within a third of the L1 cache
constexpr size_t worth_tables = 32;  // rows from which building the tables pays

// Adds the plane bytes whose bits are set, four neighbours to a lane.
inline __m512i add_set(__m512i acc, __mmask64 bits, __m512i plane) {
  return _mm512_dpbusd_epi32(acc, _mm512_set1_epi8(1), _mm512_maskz_mov_epi8(bits, plane));
}

inline __mmask64 word(const uint8_t* at) {
  uint64_t bits;
  __builtin_memcpy(&bits, at, sizeof bits);
  return _cvtu64_mask64(bits);
}

// The first `count` < 8 bytes, zeros above.
inline __mmask64 part_word(const uint8_t* at, size_t count) {
  const __mmask16 mask = static_cast<__mmask16>((1u << count) - 1);
  return _cvtu64_mask64(
      static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_maskz_loadu_epi8(mask, at))));
}

// One row, its bits as masks: no tables to build.
template <int planes>
inline float dot_row(const uint8_t* row, size_t bytes, const QueryView& q) {
  __m512i acc[planes];
  for (int p = 0; p < planes; ++p) acc[p] = _mm512_setzero_si512();
  for (size_t b = 0; b < bytes; b += 8) {
    const __mmask64 bits = bytes - b >= 8 ? word(row + b) : part_word(row + b, bytes - b);
    for (int p = 0; p < planes; ++p) {
      acc[p] = add_set(acc[p], bits, _mm512_load_si512(q.plane[p] + 8 * b));
    }
  }
  return finish_row<planes>(q, acc);
}

// Four bytes at one place of every row, a column. Entry 16 m + e of a table: the sum of the plane
// bytes that nibble e of byte m selects, split into its low byte (unsigned) and the rest (signed).
struct Column {
  __m512i low[2], rest[2];  // [0] the low nibbles of the four bytes, [1] the high ones
};

inline void build(const int8_t* plane, size_t columns, Column* out) {
  // Byte i of a lane: bit i of entry e = 4 s + lane % 4.
  const __m512i entry = _mm512_set4_epi32(0x101, 0x100, 0x1, 0x0);
  const __m512i bits[4] = {entry, _mm512_or_si512(entry, _mm512_set1_epi32(0x10000)),
                           _mm512_or_si512(entry, _mm512_set1_epi32(0x1000000)),
                           _mm512_or_si512(entry, _mm512_set1_epi32(0x1010000))};
  const __m512i even = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
  const __m512i byte = _mm512_set1_epi16(255);
  for (size_t c = 0; c < columns; ++c) {
    const __m256i* from = reinterpret_cast<const __m256i*>(plane + 32 * c);
    const __m512i bytes = _mm512_castsi256_si512(_mm256_load_si256(from));
    for (int nibble = 0; nibble < 2; ++nibble) {
      const __m512i place = _mm512_add_epi32(even, _mm512_set1_epi32(nibble));
      const __m512i four = _mm512_permutexvar_epi32(place, bytes);  // 128-bit lane m: byte m's
      __m512i v[4];
      for (int s = 0; s < 4; ++s) v[s] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), bits[s], four);
      const __m512i first = _mm512_packs_epi32(v[0], v[1]), second = _mm512_packs_epi32(v[2], v[3]);
      out[c].low[nibble] = _mm512_packus_epi16(_mm512_and_si512(first, byte),
                                               _mm512_and_si512(second, byte));
      out[c].rest[nibble] = _mm512_packs_epi16(_mm512_srai_epi16(first, 8),
                                               _mm512_srai_epi16(second, 8));
    }
  }
}

// Columns of 16 rows: lane r of column[c] is the c-th four bytes of row r's chunk.
template <typename Fetch>
inline void transpose(const uint8_t* at, size_t stride, const Fetch& fetch, __m512i* column) {
  __m512i lane[4];  // 128-bit lane m of lane[s]: row 4 m + s
  for (size_t s = 0; s < 4; ++s) {
    lane[s] = _mm512_castsi128_si512(fetch(at + s * stride));
    lane[s] = _mm512_inserti32x4(lane[s], fetch(at + (4 + s) * stride), 1);
    lane[s] = _mm512_inserti32x4(lane[s], fetch(at + (8 + s) * stride), 2);
    lane[s] = _mm512_inserti32x4(lane[s], fetch(at + (12 + s) * stride), 3);
  }
  for (int half = 0; half < 2; ++half) {
    const __m512i a = half ? _mm512_unpackhi_epi32(lane[0], lane[1])
                           : _mm512_unpacklo_epi32(lane[0], lane[1]);
    const __m512i b = half ? _mm512_unpackhi_epi32(lane[2], lane[3])
                           : _mm512_unpacklo_epi32(lane[2], lane[3]);
    column[2 * half] = _mm512_unpacklo_epi64(a, b);
    column[2 * half + 1] = _mm512_unpackhi_epi64(a, b);
  }
}

// sum[p]: lane r = <bits of row r, plane p>.
template <int planes>
inline void look_up(const uint8_t* at, size_t stride, size_t bytes, size_t columns,
                    const Column (*tables)[most_columns], __m512i* sum) {
  const __m512i nibble = _mm512_set1_epi8(15), one = _mm512_set1_epi8(1);
  const __m512i table = _mm512_set1_epi32(0x30201000);  // byte m looks into entries 16 m ...
  __m512i low[planes][2], rest[planes][2];
  for (int p = 0; p < planes; ++p) {
    low[p][0] = low[p][1] = rest[p][0] = rest[p][1] = _mm512_setzero_si512();
  }
  const auto add = [&](__m512i word, size_t c) {
    for (int k = 0; k < 2; ++k) {
      const __m512i bits = k ? _mm512_srli_epi16(word, 4) : word;
      const __m512i index = _mm512_ternarylogic_epi32(bits, nibble, table, 0xea);  // a & b | c
      for (int p = 0; p < planes; ++p) {
        const Column& column = tables[p][c];
        low[p][k] = _mm512_dpbusd_epi32(
            low[p][k], _mm512_permutexvar_epi8(index, column.low[k]), one);
        rest[p][k] = _mm512_dpbusd_epi32(
            rest[p][k], one, _mm512_permutexvar_epi8(index, column.rest[k]));
      }
    }
  };
  for (size_t r = 0; r < group; ++r) prefetch(at + r * stride);
  __m512i column[4];
  size_t b = 0;
  for (; b + chunk <= bytes; b += chunk) {
    transpose(at + b, stride, [](const uint8_t* from) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    }, column);
    for (size_t c = 0; c < 4; ++c) add(column[c], b / 4 + c);
  }
  if (b < bytes) {
    const __mmask16 mask = static_cast<__mmask16>((1u << (bytes - b)) - 1);
    transpose(at + b, stride, [&](const uint8_t* from) {
      return _mm_maskz_loadu_epi8(mask, from);
    }, column);
    for (size_t c = 0; b / 4 + c < columns; ++c) add(column[c], b / 4 + c);
  }
  for (int p = 0; p < planes; ++p) {
    const __m512i high = _mm512_add_epi32(rest[p][0], rest[p][1]);
    sum[p] = _mm512_add_epi32(_mm512_add_epi32(low[p][0], low[p][1]), _mm512_slli_epi32(high, 8));
  }
}

// All whole groups of rows by tables; returns the number of rows done.
template <int planes>
[[gnu::noinline]] size_t dot_tables(const uint8_t* rows, size_t n, size_t stride, size_t d,
                                    const QueryView& q, float* out) {
  const size_t bytes = (d + 7) / 8, columns = (bytes + 3) / 4;
  Column tables[planes][most_columns];
  for (int p = 0; p < planes; ++p) build(q.plane[p], columns, tables[p]);
  size_t i = 0;
  for (; i + group <= n; i += group) {
    __m512i raw[planes];
    look_up<planes>(rows + i * stride, stride, bytes, columns, tables, raw);
    finish_rows<planes>(q, raw, out + i);
  }
  return i;
}

template <int planes>
inline void dot_bits(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& q,
                     float* out) {
  const bool tables = n >= worth_tables && d <= 32 * most_columns;
  size_t i = tables ? dot_tables<planes>(rows, n, stride, d, q, out) : 0;
  for (; i < n; ++i) out[i] = dot_row<planes>(rows + i * stride, (d + 7) / 8, q);
}

}  // namespace

void dot_b1_avx512(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  if (query.planes == 2) return dot_bits<2>(rows, n, stride, d, query, out);
  dot_bits<1>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
