#include "dot_i8.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx2.h"

struct Bytes {
  static constexpr size_t width = 16;  // widened to 16 bits
  static constexpr size_t block = 0;

  static __m256i load(const void* at) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(static_cast<const __m128i*>(at)));
  }

  template <int planes>
  static void add(__m256i codes, const QueryView& q, size_t j, __m256i* sum) {
    for (int p = 0; p < planes; ++p) {
      sum[p] = _mm256_add_epi32(sum[p], _mm256_madd_epi16(codes, load(q.plane[p] + j)));
    }
  }
};

}  // namespace

void dot_i8_avx2(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  dot_all<Bytes>(rows, n, stride, d, query, out);
}

}  // namespace fewbits
