#include "dot_u4.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx512.h"

struct Nibbles {
  template <int planes>
  static void add(__m512i both, const QueryView& q, size_t j, __m512i* sum) {
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
    const __m512i low = _mm512_and_si512(both, nibble);
    for (int p = 0; p < planes; ++p) {
      const int8_t* plane = q.plane[p] + j;
      sum[p] = _mm512_dpbusd_epi32(sum[p], high, _mm512_load_si512(plane));
      sum[p] = _mm512_dpbusd_epi32(sum[p], low, _mm512_load_si512(plane + q.sub));
    }
  }
};

}  // namespace

void dot_u4_avx512(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                   float* out) {
  const __m512i start[2] = {};
  dot_all<Nibbles>(rows, n, stride, (d + 1) / 2, query, start, out);
}

}  // namespace fewbits
