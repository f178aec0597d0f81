#include <arm_neon.h>

#include "rows.h"

namespace fewbits::encoder {
namespace {

#include "../lanes/neon.h"

#define FEWBITS_INLINE static inline __attribute__((always_inline))

#include "tally.h"

struct Codes {
  using B = uint8x16_t;
  static constexpr size_t bytes = 16;

  FEWBITS_INLINE B pack(float32x4_t v0, float32x4_t v1, float32x4_t v2, float32x4_t v3,
                        int32_t zero) {
    const int16x8_t shift = vdupq_n_s16(static_cast<int16_t>(zero));
    const int16x8_t a = vqaddq_s16(halves(v0, v1), shift), b = vqaddq_s16(halves(v2, v3), shift);
    return vcombine_u8(vqmovun_s16(a), vqmovun_s16(b));
  }
  FEWBITS_INLINE void store(uint8_t* p, B codes) { vst1q_u8(p, codes); }
  FEWBITS_INLINE void store_some(uint8_t* p, B codes, size_t n) {
    uint8_t copy[bytes];
    store(copy, codes);
    store_bytes(p, copy, n);
  }
  FEWBITS_INLINE size_t equal(B a, B b) { return vaddvq_u8(vshrq_n_u8(vceqq_u8(a, b), 7)); }
  FEWBITS_INLINE B set(int value) { return vdupq_n_u8(static_cast<uint8_t>(value)); }
  FEWBITS_INLINE B min(B a, B b) { return vminq_u8(a, b); }
  FEWBITS_INLINE B max(B a, B b) { return vmaxq_u8(a, b); }
  using Tally = TallyOf<Codes>;

  FEWBITS_INLINE int16x8_t halves(float32x4_t a, float32x4_t b) {  // ties to even
    return vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(a)), vqmovn_s32(vcvtnq_s32_f32(b)));
  }
};

struct FromF16 {
  static constexpr size_t bytes = 2;
  FEWBITS_INLINE float32x4_t load(const char* p) {
    float16x4_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return vcvt_f32_f16(four);
  }
  FEWBITS_INLINE float32x4_t load_some(const char* p, size_t n) {
    return load_copy<FromF16>(p, n);
  }
};

struct FromBf16 {
  static constexpr size_t bytes = 2;
  FEWBITS_INLINE float32x4_t load(const char* p) {
    uint16x4_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return vreinterpretq_f32_u32(vshll_n_u16(four, 16));
  }
  FEWBITS_INLINE float32x4_t load_some(const char* p, size_t n) {
    return load_copy<FromBf16>(p, n);
  }
};

struct FromI8 {
  static constexpr size_t bytes = 1;
  FEWBITS_INLINE float32x4_t load(const char* p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    const int8x8_t codes = vreinterpret_s8_s32(vdup_n_s32(four));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(codes))));
  }
  FEWBITS_INLINE float32x4_t load_some(const char* p, size_t n) { return load_copy<FromI8>(p, n); }
};

#include "body.h"
#include "quantize.h"
#include "gates.h"
#include "gelu.h"
#include "activate.h"

}  // namespace

constinit const RowSteps rows_neon = {lookup,        add_norm,          activate,
                                      quantize_rows, activate_quantize, quantize_fixed};

}  // namespace fewbits::encoder
