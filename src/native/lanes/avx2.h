// avx2.h - what the AVX2 dot kernels share: the walk over rows and bytes, the tails, the reduction.
// Include inside an anonymous namespace after immintrin.h and query.h.
//
// A kernel says how its codes become products, by a struct of
//   width: bytes of a row per step
//   block: bytes whose sums fit int16, a multiple of width; 0: add() sums in int32
//   load(at): the codes of `width` bytes
//   add<planes>(codes, q, j, sum): sum[p] += <codes, plane p>, the codes being those from byte j on

constexpr size_t group = 8;  // rows per reduction: one float result per lane

inline void prefetch(const uint8_t* at) {
  _mm_prefetch(reinterpret_cast<const char*>(at + 2048), _MM_HINT_T0);  // two to ten rows ahead
}

// Codes that are a register of bytes as they lie in memory.
struct Register {
  static constexpr size_t width = 32;
  static constexpr size_t block = 0;

  static __m256i load(const void* at) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(at));
  }
};

// The first `left` bytes, zeros after them.
template <typename Codes>
inline auto load_part(const uint8_t* at, size_t left) {
  alignas(Codes::width) uint8_t copy[Codes::width] = {0};
  __builtin_memcpy(copy, at, left);
  return Codes::load(copy);
}

// Lane r: the sum of the 8 lanes of a[r].
inline __m256i sum_rows(const __m256i* a) {
  const __m256i low = _mm256_hadd_epi32(_mm256_hadd_epi32(a[0], a[1]),
                                        _mm256_hadd_epi32(a[2], a[3]));
  const __m256i high = _mm256_hadd_epi32(_mm256_hadd_epi32(a[4], a[5]),
                                         _mm256_hadd_epi32(a[6], a[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                          _mm256_permute2x128_si256(low, high, 0x31));
}

inline int32_t sum_row(__m256i a) {
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  four = _mm_hadd_epi32(four, four);
  return _mm_cvtsi128_si32(_mm_hadd_epi32(four, four));
}

// finish_dot's term of one plane for 8 rows.
inline __m256 finish_rows(const QueryView& q, int p, __m256i raw) {
  const __m256i scaled = _mm256_mullo_epi32(_mm256_set1_epi32(q.gain), raw);
  const __m256i centred = _mm256_sub_epi32(scaled, _mm256_set1_epi32(q.base[p]));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(centred), _mm256_set1_ps(q.weight[p]));
}

// By registers: GCC would fill an array that is initialised with {} by a slow string instruction.
template <int rows, int planes>
inline void clear(__m256i (&sum)[rows][planes]) {
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < planes; ++p) sum[r][p] = _mm256_setzero_si256();
  }
}

inline __m256i widen(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

// sum[r][p] += <bytes j .. stop of row r, plane p>. The bytes past the last code meet zeros of the
// plane: they may be anything that can be read, up to `end`.
template <typename Codes, int rows, int planes>
inline void add_rows(const uint8_t* at, size_t stride, size_t j, size_t stop, const uint8_t* end,
                     const QueryView& q, __m256i (&sum)[rows][planes]) {
  const auto step = [&](const auto& fetch) {
    for (int r = 0; r < rows; ++r) {
      const uint8_t* from = at + static_cast<size_t>(r) * stride + j;
      if (Codes::width >= 16) prefetch(from);  // narrow steps: it costs more than it brings
      Codes::template add<planes>(fetch(from), q, j, sum[r]);
    }
  };
  for (; j + Codes::width <= stop; j += Codes::width) {
    step([](const uint8_t* from) { return Codes::load(from); });
  }
  if (j < stop) {
    step([&](const uint8_t* from) {
      const bool readable = static_cast<size_t>(end - from) >= Codes::width;
      return readable ? Codes::load(from) : load_part<Codes>(from, stop - j);
    });
  }
}

// sum[p][first + r] = <codes of row r, plane p>, in 8 partial sums.
template <typename Codes, int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t bytes, const uint8_t* end,
                     const QueryView& q, __m256i (*sum)[group], size_t first) {
  __m256i acc[rows][planes];
  clear(acc);
  if constexpr (Codes::block == 0) {
    add_rows<Codes>(at, stride, 0, bytes, end, q, acc);
  } else {
    for (size_t j = 0; j < bytes; j += Codes::block) {
      const size_t stop = bytes - j > Codes::block ? j + Codes::block : bytes;
      __m256i pairs[rows][planes];
      clear(pairs);
      add_rows<Codes>(at, stride, j, stop, end, q, pairs);
      for (int r = 0; r < rows; ++r) {
        for (int p = 0; p < planes; ++p) {
          acc[r][p] = _mm256_add_epi32(acc[r][p], widen(pairs[r][p]));
        }
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < planes; ++p) sum[p][first + static_cast<size_t>(r)] = acc[r][p];
  }
}

template <typename Codes, int planes>
inline void dot_planes(const uint8_t* rows, size_t n, size_t stride, size_t bytes,
                       const QueryView& q, float* out) {
  constexpr int step = planes == 2 ? 2 : 4;  // rows that fit the 16 registers
  const uint8_t* end = rows + n * stride - stride + bytes;
  __m256i sum[planes][group];
  size_t i = 0;
  for (; i + group <= n; i += group) {
    for (size_t r = 0; r < group; r += step) {
      dot_rows<Codes, planes, step>(rows + (i + r) * stride, stride, bytes, end, q, sum, r);
    }
    __m256 v = finish_rows(q, 0, sum_rows(sum[0]));
    if (planes == 2) v = _mm256_add_ps(v, finish_rows(q, 1, sum_rows(sum[planes - 1])));
    _mm256_storeu_ps(out + i, v);
  }
  for (; i < n; ++i) {
    dot_rows<Codes, planes, 1>(rows + i * stride, stride, bytes, end, q, sum, 0);
    int32_t raw[2] = {0, 0};
    for (int p = 0; p < planes; ++p) raw[p] = sum_row(sum[p][0]);
    out[i] = finish_dot(q, raw);
  }
}

// `bytes`: the code bytes of a row.
template <typename Codes>
inline void dot_all(const uint8_t* rows, size_t n, size_t stride, size_t bytes, const QueryView& q,
                    float* out) {
  if (n == 0) return;
  if (q.planes == 2) return dot_planes<Codes, 2>(rows, n, stride, bytes, q, out);
  dot_planes<Codes, 1>(rows, n, stride, bytes, q, out);
}
