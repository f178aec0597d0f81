#include "gemm_u8.h"

#include <immintrin.h>

#include <utility>

namespace fewbits::encoder {
namespace {

#include "../../trellis/each.h"

// Tile sizes: 6 rows x 4 panels of sums, 4 registers of weights and one of inputs fill the register
// file; 24 independent sums hide the latency of vpdpbusd (5 cycles, two a cycle).
constexpr size_t tile_rows = 6;
constexpr size_t tile_panels = 4;

struct Job {
  const uint8_t* a;
  size_t a_stride;
  const Row* rows;
  const WeightsI8& w;
  float* out;
  size_t out_stride;
};

// By assembly: GCC 12 copies the sums of its own intrinsics from register to register.
inline __m512i add_quads(__m512i sum, __m512i inputs, __m512i weights) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(inputs), "v"(weights));
  return sum;
}

inline __m512i add_pairs(__m512i sum, __m512i row, __m512i channels) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(row), "v"(channels));
  return sum;
}

// -zero * s = -127 s + f s with f = 127 - zero, and f s = f (s mod 256) + 256 f (s >> 8): two
// int16 products, for -128 <= f <= 127 and, k being at most 65,536, |s >> 8| <= 32,512. vpmulld
// costs twice as much, on one port.
struct Start {
  __m512i base, digits;

  explicit Start(const int32_t* sums) {
    const __m512i s = _mm512_loadu_si512(sums);
    base = _mm512_sub_epi32(s, _mm512_slli_epi32(s, 7));
    digits = _mm512_or_si512(_mm512_and_si512(s, _mm512_set1_epi32(255)),
                             _mm512_slli_epi32(_mm512_srai_epi32(s, 8), 16));
  }

  static __m512i factor(int32_t zero) {
    const uint32_t f = static_cast<uint32_t>(127 - zero);
    return _mm512_set1_epi32(static_cast<int32_t>(f << 24 | (f & 0xffff)));
  }
};

// Lanes of a panel that are channels.
inline __mmask16 channels(size_t n, size_t at) {
  return static_cast<__mmask16>((1u << (n - at < panel ? n - at : panel)) - 1);
}

template <size_t rows, size_t panels>
inline void finish(const Job& job, size_t first_row, size_t first_panel,
                   const __m512i (&sum)[rows][panels]) {
  constexpr std::make_index_sequence<rows> every_row;
  constexpr std::make_index_sequence<panels> every_panel;
  const WeightsI8& w = job.w;
  each(every_panel, [&](size_t p) {
    const size_t at = (first_panel + p) * panel;
    const __m512 scale = _mm512_loadu_ps(w.scale + at), bias = _mm512_loadu_ps(w.bias + at);
    const __mmask16 some = channels(w.n, at);
    float* out = job.out + first_row * job.out_stride + at;
    each(every_row, [&](size_t r) {
      const __m512 both = _mm512_mul_ps(_mm512_set1_ps(job.rows[first_row + r].scale), scale);
      const __m512 value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][p]), both, bias);
      _mm512_mask_storeu_ps(out + r * job.out_stride, some, value);
    });
  });
}

// One line of `ahead`, quads(k) lines in all, is prefetched for every 4 inputs.
// flatten: sums that any function not inlined captures would live in memory.
template <size_t rows, size_t panels>
[[gnu::flatten]] void tile(const Job& job, size_t first_row, size_t first_panel,
                           const int8_t* ahead) {
  constexpr std::make_index_sequence<rows> every_row;
  constexpr std::make_index_sequence<panels> every_panel;
  const WeightsI8& w = job.w;
  const size_t a_stride = job.a_stride, codes_stride = quads(w.k) * 64;
  const uint8_t* a = job.a + first_row * a_stride;
  const uint8_t* a_end = a + 4 * quads(w.k);
  const int8_t* codes = w.codes + first_panel * codes_stride;
  const ptrdiff_t distance = ahead - codes;
  const Row* row = job.rows + first_row;
  __m512i sum[rows][panels], weights[panels];
  each(every_panel, [&](size_t p) {
    const Start start(w.sums + (first_panel + p) * panel);
    each(every_row, [&](size_t r) {
      sum[r][p] = add_pairs(start.base, Start::factor(row[r].zero), start.digits);
    });
  });
  while (a != a_end) {
    each(every_panel, [&](size_t p) { weights[p] = _mm512_load_si512(codes + p * codes_stride); });
    _mm_prefetch(reinterpret_cast<const char*>(codes + distance), _MM_HINT_T0);
    each(every_row, [&](size_t r) {
      int32_t quad;
      __builtin_memcpy(&quad, a + r * a_stride, sizeof quad);
      const __m512i inputs = _mm512_set1_epi32(quad);
      each(every_panel, [&](size_t p) { sum[r][p] = add_quads(sum[r][p], inputs, weights[p]); });
    });
    a += 4, codes += 64;
    // Two moving pointers, all else at fixed distances: GCC would move more than it has registers
    // for, and their additions take the ports of vpdpbusd.
    asm("" : "+r"(a), "+r"(codes));
  }
  finish(job, first_row, first_panel, sum);
}

using Tile = void(const Job& job, size_t first_row, size_t first_panel, const int8_t* ahead);

template <size_t... rows>
constexpr auto tiles_of(std::index_sequence<rows...>) {
  struct Tiles {
    Tile* of[tile_rows][tile_panels];
  };
  return Tiles{{{tile<rows + 1, 1>, tile<rows + 1, 2>, tile<rows + 1, 3>, tile<rows + 1, 4>}...}};
}

constexpr auto tiles = tiles_of(std::make_index_sequence<tile_rows>());

// The next piece of `left` equal things, such that all pieces differ by 1 at most: a small last
// piece would wait for its few sums.
inline size_t piece(size_t left, size_t most) { return left / ((left + most - 1) / most); }

}  // namespace

// Groups of panels outside: their weights (24 KB at k = 384) stay in the nearest cache while all
// rows pass, and the first row tiles fetch those of the next group.
void gemm_u8_avx512(const uint8_t* a, size_t m, size_t a_stride, const Row* rows,
                    const WeightsI8& w, size_t first_panel, size_t last_panel, float* out,
                    size_t out_stride) {
  const Job job = {a, a_stride, rows, w, out, out_stride};
  const size_t panel_bytes = quads(w.k) * 64;
  for (size_t p = first_panel, group; p < last_panel; p += group) {
    group = piece(last_panel - p, tile_panels);
    size_t ahead = p + group;
    for (size_t i = 0, count; i < m; i += count, ++ahead) {
      count = piece(m - i, tile_rows);
      const bool more = ahead < last_panel && ahead < p + 2 * group;
      tiles.of[count - 1][group - 1](job, i, p, w.codes + (more ? ahead : p) * panel_bytes);
    }
  }
}

}  // namespace fewbits::encoder
