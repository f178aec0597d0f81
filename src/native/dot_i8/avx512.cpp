#include "dot_i8.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx512.h"

struct Bytes {  // biased by 128: one factor of vpdpbusd is unsigned
  template <int planes>
  static void add(__m512i bytes, const QueryView& q, size_t j, __m512i* sum) {
    const __m512i codes = _mm512_xor_si512(bytes, _mm512_set1_epi8(-128));
    for (int p = 0; p < planes; ++p) {
      sum[p] = _mm512_dpbusd_epi32(sum[p], codes, _mm512_load_si512(q.plane[p] + j));
    }
  }
};

}  // namespace

void dot_i8_avx512(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  // The bias adds 128 * sum(plane) to every row: start from minus that.
  __m512i start[2];
  for (int p = 0; p < query.planes; ++p) {
    __m512i extra = _mm512_setzero_si512();
    for (size_t j = 0; j < d; j += width) {
      const __m512i plane = _mm512_load_si512(query.plane[p] + j);
      extra = _mm512_dpbusd_epi32(extra, _mm512_set1_epi8(-128), plane);
    }
    start[p] = _mm512_sub_epi32(_mm512_setzero_si512(), extra);
  }
  dot_all<Bytes>(rows, n, stride, d, query, start, out);
}

}  // namespace fewbits
