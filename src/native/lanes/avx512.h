// avx512.h - what the AVX-512 kernels share: prefetch, masks, reductions, the walk over rows.
// Include inside an anonymous namespace after immintrin.h and query.h.

constexpr size_t width = 64;  // bytes per register
constexpr size_t group = 16;  // rows per reduction: one float result per lane

inline void prefetch(const uint8_t* at) {
  _mm_prefetch(reinterpret_cast<const char*>(at + 2048), _MM_HINT_T0);  // two to 36 rows ahead
}

// The low `left` bytes, all of them from 64 on.
inline __mmask64 low_bytes(size_t left) {
  return left >= width ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
}

// Lane r: the sum of 8 lanes of row r. a[i] holds rows 2 i and 2 i + 1 in turns.
inline __m512i sum_pairs(const __m512i* a) {
  __m512i y[4], z[2];
  for (int i = 0; i < 4; ++i) {
    y[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(a[2 * i], a[2 * i + 1]),
                            _mm512_unpackhi_epi64(a[2 * i], a[2 * i + 1]));
  }
  for (int i = 0; i < 2; ++i) {
    z[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(y[2 * i], y[2 * i + 1], 0x44),
                            _mm512_shuffle_i32x4(y[2 * i], y[2 * i + 1], 0xee));
  }
  return _mm512_add_epi32(_mm512_shuffle_i32x4(z[0], z[1], 0x88),
                          _mm512_shuffle_i32x4(z[0], z[1], 0xdd));
}

// Lane r: the sum of the 16 lanes of a[r], by a tree that adds and transposes at once.
inline __m512i sum_rows(const __m512i* a) {
  __m512i pairs[8];
  for (int i = 0; i < 8; ++i) {
    pairs[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(a[2 * i], a[2 * i + 1]),
                                _mm512_unpackhi_epi32(a[2 * i], a[2 * i + 1]));
  }
  return sum_pairs(pairs);
}

// finish_dot's term of one plane for 16 rows.
inline __m512 finish_plane(const QueryView& q, int p, __m512i raw) {
  const __m512i scaled = _mm512_mullo_epi32(_mm512_set1_epi32(q.gain), raw);
  const __m512i centred = _mm512_sub_epi32(scaled, _mm512_set1_epi32(q.base[p]));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(centred), _mm512_set1_ps(q.weight[p]));
}

// finish_dot of 16 rows; lane r of raw[p] belongs to row r.
template <int planes>
inline void finish_rows(const QueryView& q, const __m512i* raw, float* out) {
  __m512 v = finish_plane(q, 0, raw[0]);
  if (planes == 2) v = _mm512_add_ps(v, finish_plane(q, 1, raw[planes - 1]));
  _mm512_storeu_ps(out, v);
}

template <int planes>
inline void finish_sums(const QueryView& q, const __m512i (*sum)[group], float* out) {
  __m512i raw[planes];
  for (int p = 0; p < planes; ++p) raw[p] = sum_rows(sum[p]);
  finish_rows<planes>(q, raw, out);
}

template <int planes>
inline float finish_row(const QueryView& q, const __m512i* sum) {
  int32_t raw[2] = {0, 0};
  for (int p = 0; p < planes; ++p) raw[p] = _mm512_reduce_add_epi32(sum[p]);
  return finish_dot(q, raw);
}

// sum[p][first + r] = start[p] + <codes of row r, plane p>, in 16 partial sums.
template <typename Codes, int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t bytes, const QueryView& q,
                     const __m512i* start, __m512i (*sum)[group], size_t first) {
  __m512i acc[rows][planes];
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < planes; ++p) acc[r][p] = start[p];
  }
  for (size_t j = 0; j < bytes; j += width) {
    const __mmask64 mask = low_bytes(bytes - j);
    for (int r = 0; r < rows; ++r) {
      const uint8_t* from = at + static_cast<size_t>(r) * stride + j;
      prefetch(from);
      Codes::template add<planes>(_mm512_maskz_loadu_epi8(mask, from), q, j, acc[r]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < planes; ++p) sum[p][first + static_cast<size_t>(r)] = acc[r][p];
  }
}

template <typename Codes, int planes>
inline void dot_planes(const uint8_t* rows, size_t n, size_t stride, size_t bytes,
                       const QueryView& q, const __m512i* start, float* out) {
  size_t i = 0;
  for (; i + group <= n; i += group) {
    __m512i sum[planes][group];
    for (size_t r = 0; r < group; r += 4) {
      dot_rows<Codes, planes, 4>(rows + (i + r) * stride, stride, bytes, q, start, sum, r);
    }
    finish_sums<planes>(q, sum, out + i);
  }
  for (; i < n; ++i) {
    __m512i sum[planes][group], all[planes];
    dot_rows<Codes, planes, 1>(rows + i * stride, stride, bytes, q, start, sum, 0);
    for (int p = 0; p < planes; ++p) all[p] = sum[p][0];
    out[i] = finish_row<planes>(q, all);
  }
}

// `bytes`: the code bytes of a row; start[p]: what the sums of plane p begin with.
// Codes::add<planes>(codes, q, j, sum): sum[p] += <codes, plane p>, the 64 bytes from byte j on.
template <typename Codes>
inline void dot_all(const uint8_t* rows, size_t n, size_t stride, size_t bytes, const QueryView& q,
                    const __m512i* start, float* out) {
  if (q.planes == 2) return dot_planes<Codes, 2>(rows, n, stride, bytes, q, start, out);
  dot_planes<Codes, 1>(rows, n, stride, bytes, q, start, out);
}
