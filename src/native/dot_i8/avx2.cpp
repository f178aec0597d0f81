#include "dot_i8.h"

#include <immintrin.h>

namespace fewbits {
namespace {

constexpr size_t width = 16;  // codes per register, widened to 16 bits
constexpr size_t group = 8;   // rows per reduction: one float result per lane
constexpr size_t ahead = 2048;  // bytes of prefetch: about five 384-byte rows

inline __m256i load(const void* at) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(static_cast<const __m128i*>(at)));
}

// The first `left` bytes; what follows them is arbitrary where it can be read, else zero.
inline __m256i load_part(const uint8_t* at, size_t left, const uint8_t* end) {
  if (static_cast<size_t>(end - at) >= width) return load(at);
  alignas(width) uint8_t copy[width] = {0};
  __builtin_memcpy(copy, at, left);
  return load(copy);
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

// finish_dot's term of one plane for 8 rows.
inline __m256 finish_rows(const QueryView& q, int p, __m256i raw) {
  const __m256i scaled = _mm256_mullo_epi32(_mm256_set1_epi32(q.gain), raw);
  const __m256i centred = _mm256_sub_epi32(scaled, _mm256_set1_epi32(q.base[p]));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(centred), _mm256_set1_ps(q.weight[p]));
}

inline int32_t sum_row(__m256i a) {
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  four = _mm_hadd_epi32(four, four);
  return _mm_cvtsi128_si32(_mm_hadd_epi32(four, four));
}

// sum[p][first + r] = <codes of row r, plane p>, in 8 partial sums.
template <int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t bytes, const uint8_t* end,
                     const QueryView& q, __m256i (*sum)[group], size_t first) {
  __m256i acc[planes][rows];
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < rows; ++r) acc[p][r] = _mm256_setzero_si256();
  }
  const auto step = [&](size_t j, const auto& fetch) {
    __m256i plane[planes];
    for (int p = 0; p < planes; ++p) plane[p] = load(q.plane[p] + j);
    for (int r = 0; r < rows; ++r) {
      const uint8_t* from = at + static_cast<size_t>(r) * stride + j;
      _mm_prefetch(reinterpret_cast<const char*>(from + ahead), _MM_HINT_T0);
      const __m256i codes = fetch(from);
      for (int p = 0; p < planes; ++p) {
        acc[p][r] = _mm256_add_epi32(acc[p][r], _mm256_madd_epi16(codes, plane[p]));
      }
    }
  };
  size_t j = 0;
  for (; j + width <= bytes; j += width) {
    step(j, [](const uint8_t* from) { return load(from); });
  }
  if (j < bytes) {
    step(j, [&](const uint8_t* from) { return load_part(from, bytes - j, end); });
  }
  for (int p = 0; p < planes; ++p) {
    for (int r = 0; r < rows; ++r) sum[p][first + static_cast<size_t>(r)] = acc[p][r];
  }
}

template <int planes>
inline void dot_all(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& q,
                    float* out) {
  constexpr int step = planes == 2 ? 2 : 4;  // rows that fit the 16 registers
  const size_t bytes = d;
  const uint8_t* end = rows + n * stride - stride + bytes;
  __m256i sum[planes][group];
  size_t i = 0;
  for (; i + group <= n; i += group) {
    for (size_t r = 0; r < group; r += step) {
      dot_rows<planes, step>(rows + (i + r) * stride, stride, bytes, end, q, sum, r);
    }
    __m256 v = finish_rows(q, 0, sum_rows(sum[0]));
    if (planes == 2) v = _mm256_add_ps(v, finish_rows(q, 1, sum_rows(sum[planes - 1])));
    _mm256_storeu_ps(out + i, v);
  }
  for (; i < n; ++i) {
    dot_rows<planes, 1>(rows + i * stride, stride, bytes, end, q, sum, 0);
    int32_t raw[2] = {0, 0};
    for (int p = 0; p < planes; ++p) raw[p] = sum_row(sum[p][0]);
    out[i] = finish_dot(q, raw);
  }
}

}  // namespace

void dot_i8_avx2(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  if (n == 0) return;
  if (query.planes == 2) return dot_all<2>(rows, n, stride, d, query, out);
  dot_all<1>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
