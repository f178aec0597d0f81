// avx512.h - rows as words and their sums, for the AVX-512 kernels.
// Include inside an anonymous namespace after immintrin.h, cstring and dot.h.

constexpr size_t lanes = 8;            // rows per register
constexpr int large = 8, small = 1;    // registers of rows at once

// Sums of `blocks` times 8 rows: each row has two neighbouring lanes.
using Sum = __m512i;
template <int blocks, int planes>
using Sums = Sum[planes][blocks];

inline __m512i repeat(const void* word) {
  long long value;
  std::memcpy(&value, word, sizeof value);
  return _mm512_set1_epi64(value);
}

inline __m128i load16(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

// 16 bytes of rows 0, 2, 4, 6 of the rows from `at` on.
inline __m512i load_rows(const uint8_t* at, size_t stride) {
  __m512i rows = _mm512_castsi128_si512(load16(at));
  rows = _mm512_inserti64x2(rows, load16(at + 2 * stride), 1);
  rows = _mm512_inserti64x2(rows, load16(at + 4 * stride), 2);
  return _mm512_inserti64x2(rows, load16(at + 6 * stride), 3);
}

// tile[word][row]: the words of a piece, of 8 `blocks` rows.
template <int blocks>
inline void fill_tile(const uint8_t* rows, size_t stride, const ProgramView& program,
                      const Piece& piece, uint64_t* tile) {
  for (uint32_t l = piece.load_begin; l < piece.load_end; ++l, tile += 2 * lanes * blocks) {
    const int32_t offset = program.offset[l];
    const uint8_t* at = rows + (offset < 0 ? 0 : offset);
    for (int b = 0; b < blocks; ++b, at += lanes * stride) {
      __m512i even = load_rows(at, stride), odd = load_rows(at + stride, stride);
      if (offset < 0) {
        even = _mm512_bslli_epi128(even, 1);
        odd = _mm512_bslli_epi128(odd, 1);
      }
      _mm512_store_si512(tile + lanes * b, _mm512_unpacklo_epi64(even, odd));
      _mm512_store_si512(tile + lanes * (blocks + b), _mm512_unpackhi_epi64(even, odd));
    }
  }
}

template <Move move>
inline __m512i windows(const uint64_t* tile, size_t next, __m512i control) {
  const __m512i word = _mm512_load_si512(tile);
  if (move == Move::pick) return _mm512_multishift_epi64_epi8(control, word);
  if (move == Move::shift) return _mm512_shrdv_epi64(word, _mm512_load_si512(tile + next), control);
  return word;
}

template <Move move, int blocks, int planes>
inline void add_stretch(const ProgramView& program, const Stretch& stretch, const PlaneView& query,
                        const uint64_t* tile, Sums<blocks, planes>& sum) {
  constexpr size_t next = lanes * blocks;
  const __m512i table =
      move == Move::keep ? _mm512_setzero_si512() : _mm512_loadu_si512(program.lut[stretch.table]);
  for (uint32_t s = stretch.begin; s < stretch.end; ++s) {
    const __m512i control = repeat(&program.step[s].control);
    const uint64_t* at = tile + program.step[s].word * next;
    __m512i plane[planes];
    for (int p = 0; p < planes; ++p) plane[p] = repeat(query.steps[p] + 8 * s);
    for (int b = 0; b < blocks; ++b) {
      __m512i values = windows<move>(at + lanes * b, next, control);
      if (move != Move::keep) values = _mm512_permutexvar_epi8(values, table);
      for (int p = 0; p < planes; ++p) sum[p][b] = _mm512_dpbusd_epi32(sum[p][b], values, plane[p]);
    }
  }
}

// A sum for each of 16 rows: a holds the first 8.
inline __m512i sum_pair(__m512i a, __m512i b) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b),
                          _mm512_permutex2var_epi32(a, odd, b));
}

// finish_plane of 16 rows.
inline __m512 finish_pair(const PlaneView& q, int p, __m512i a, __m512i b) {
  const __m512i raw = sum_pair(a, b);
  const __m512i centred =
      _mm512_sub_epi32(_mm512_add_epi32(raw, raw), _mm512_set1_epi32(q.base2[p]));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(centred), _mm512_set1_ps(q.weight[p]));
}

template <int blocks, int planes>
inline void finish(const PlaneView& q, const Sums<blocks, planes>& sum, size_t n, float* out) {
  for (int b = 0; b < blocks; b += 2) {
    const int second = b + 1 < blocks ? b + 1 : b;
    __m512 v = finish_pair(q, 0, sum[0][b], sum[0][second]);
    if (planes == 2) {
      v = _mm512_add_ps(v, finish_pair(q, 1, sum[planes - 1][b], sum[planes - 1][second]));
    }
    const size_t done = static_cast<size_t>(8 * b);
    if (n <= done) return;
    const size_t left = n - done;
    const __mmask16 mask = static_cast<__mmask16>(left >= 16 ? 0xffffu : (1u << left) - 1);
    _mm512_mask_storeu_ps(out + done, mask, v);
  }
}

