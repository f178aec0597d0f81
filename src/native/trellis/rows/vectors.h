// vectors.h - registers of the level, for the texts that are compiled once per level.
// Include inside an anonymous namespace after rows.h.

// Doubles come in parts of one register; 8 lanes in all, whatever the level.
#if defined(__AVX512F__)
constexpr size_t part = 8;
#elif defined(__AVX2__)
constexpr size_t part = 4;
#else
constexpr size_t part = 2;
#endif
constexpr size_t parts = 8 / part;
constexpr size_t lane = 2 * part;  // floats of one register

typedef float fpart __attribute__((vector_size(4 * part), aligned(4), may_alias));
typedef int32_t ipart __attribute__((vector_size(4 * part), aligned(4), may_alias));
typedef int16_t spart __attribute__((vector_size(2 * part), aligned(2), may_alias));
typedef double dpart __attribute__((vector_size(8 * part)));
typedef double dload __attribute__((vector_size(8 * part), aligned(8), may_alias));
typedef int64_t lpart __attribute__((vector_size(8 * part)));
typedef float fvec __attribute__((vector_size(4 * lane), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * lane), aligned(4), may_alias));

inline fvec load(const float* p) { return *reinterpret_cast<const fvec*>(p); }
inline ivec load(const int32_t* p) { return *reinterpret_cast<const ivec*>(p); }
inline void store(float* p, fvec v) { *reinterpret_cast<fvec*>(p) = v; }
inline void store(int32_t* p, ivec v) { *reinterpret_cast<ivec*>(p) = v; }

// Conversions that GCC 12 takes apart where the vectors are registers of different size.
#if defined(__AVX512F__)
inline dpart wide(fpart v) { return _mm512_cvtps_pd(reinterpret_cast<__m256>(v)); }
inline dpart wide(ipart v) { return _mm512_cvtepi32_pd(reinterpret_cast<__m256i>(v)); }
inline fpart narrow(dpart v) { return reinterpret_cast<fpart>(_mm512_cvtpd_ps(v)); }
inline spart low_shorts(lpart v) {
  return reinterpret_cast<spart>(_mm512_cvtepi64_epi16(reinterpret_cast<__m512i>(v)));
}
#elif defined(__AVX2__)
inline dpart wide(fpart v) { return _mm256_cvtps_pd(reinterpret_cast<__m128>(v)); }
inline dpart wide(ipart v) { return _mm256_cvtepi32_pd(reinterpret_cast<__m128i>(v)); }
inline fpart narrow(dpart v) { return reinterpret_cast<fpart>(_mm256_cvtpd_ps(v)); }
inline spart low_shorts(lpart v) {  // of values that fit 16 bits
  const __m256i lower = _mm256_permutevar8x32_epi32(reinterpret_cast<__m256i>(v),
                                                    _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  const __m128i words = _mm256_castsi256_si128(lower);
  return reinterpret_cast<spart>(_mm_cvtsi128_si64(_mm_packs_epi32(words, words)));
}
#else
inline dpart wide(fpart v) { return __builtin_convertvector(v, dpart); }
inline dpart wide(ipart v) { return __builtin_convertvector(v, dpart); }
inline fpart narrow(dpart v) { return __builtin_convertvector(v, fpart); }
inline spart low_shorts(lpart v) { return __builtin_convertvector(v, spart); }
#endif

inline dpart wide(const float* p) { return wide(*reinterpret_cast<const fpart*>(p)); }
inline dpart wide(const double* p) { return *reinterpret_cast<const dload*>(p); }
inline ipart load_ints(const int32_t* p) { return *reinterpret_cast<const ipart*>(p); }
inline fvec splat(float v) { return v - fvec{}; }
inline fvec lesser(fvec a, fvec b) { return a < b ? a : b; }
inline fvec greater(fvec a, fvec b) { return a > b ? a : b; }

constexpr float float_magic = 12582912.0f;         // 1.5 * 2^23: a float has no fraction beyond it
constexpr double double_magic = 6755399441055744.0;  // 1.5 * 2^52

// Eight running sums, lane l of them takes elements l, 8 + l, ...
struct Lanes {
  dpart sum[parts] = {};

  void add(size_t s, dpart v) { sum[s] = sum[s] + v; }
  double total() const {
    double s[8];
    __builtin_memcpy(s, sum, sizeof s);
    const double a = s[0] + s[4], b = s[1] + s[5], c = s[2] + s[6], d = s[3] + s[7];
    const double even = a + c, odd = b + d;
    return even + odd;
  }
};
