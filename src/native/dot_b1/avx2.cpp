#include "dot_b1.h"

#include <immintrin.h>

namespace fewbits {
namespace {

#include "../lanes/avx2.h"

struct Bits {
  static constexpr size_t width = 4;           // 32 bits meet 32 plane bytes
  static constexpr size_t block = 64 * width;  // 64 steps in int16: 64 x 2 x 127 < 2^15

  // 255 in byte i where bit i is set.
  static __m256i load(const void* at) {
    int32_t bits;
    __builtin_memcpy(&bits, at, sizeof bits);
    const __m256i from = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202,
                                            0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), from);
    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
  }

  template <int planes>
  static void add(__m256i set, const QueryView& q, size_t j, __m256i* pairs) {
    for (int p = 0; p < planes; ++p) {
      const __m256i* plane = reinterpret_cast<const __m256i*>(q.plane[p] + 8 * j);
      const __m256i kept = _mm256_and_si256(set, _mm256_load_si256(plane));
      const __m256i added = _mm256_maddubs_epi16(_mm256_set1_epi8(1), kept);
      pairs[p] = _mm256_add_epi16(pairs[p], added);
    }
  }
};

}  // namespace

void dot_b1_avx2(const uint8_t* rows, size_t n, size_t stride, size_t d, const QueryView& query,
                 float* out) {
  dot_all<Bits>(rows, n, stride, (d + 7) / 8, query, out);
}

}  // namespace fewbits
