// pack.h - the part of body.h that turns stored values into bytes. Included by body.h alone.

inline void pack_i8(const float* u, size_t d, uint8_t* out) {
  for (size_t j = 0; j < d; ++j) out[j] = static_cast<uint8_t>(static_cast<int32_t>(u[j]));
}

inline void pack_u4(const float* u, size_t d, uint8_t* out) {
  for (size_t b = 0; b < d / 2; ++b) {
    const int32_t value = static_cast<int32_t>(u[2 * b] * 16.0f + u[2 * b + 1]);
    out[b] = static_cast<uint8_t>(value);
  }
  if (d % 2) out[d / 2] = static_cast<uint8_t>(static_cast<int32_t>(u[d - 1]) << 4);
}

inline void pack_trit(const float* u, size_t d, uint8_t* out) {
  for (size_t b = 0; b < (d + 4) / 5; ++b) {
    int32_t value = 0;
    for (size_t k = 0; k < 5; ++k) {
      const size_t j = 5 * b + k;
      value = value * 3 + (j < d ? static_cast<int32_t>(u[j]) : 1);  // a pad digit is 1: zero
    }
    out[b] = static_cast<uint8_t>((value * 256 + 242) / 243);
  }
}

inline void pack_b1(const float* u, size_t d, uint8_t* out) {
  // Weights 128, 64, ... turn eight 0/1 floats into the byte they spell, most significant first.
  typedef float f8 __attribute__((vector_size(32), aligned(4), may_alias));
  const f8 weights = {128, 64, 32, 16, 8, 4, 2, 1};
  const size_t whole = d / 8;
  for (size_t b = 0; b < whole; ++b) {
    const f8 v = *reinterpret_cast<const f8*>(u + 8 * b) * weights;
    const float sum = ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
    out[b] = static_cast<uint8_t>(static_cast<int32_t>(sum));
  }
  if (d % 8) {
    int32_t value = 0;
    for (size_t j = 8 * whole; j < d; ++j) value |= (u[j] > 0 ? 1 : 0) << (7 - (j % 8));
    out[whole] = static_cast<uint8_t>(value);
  }
}

inline void put(uint8_t*& at, float value) {
  __builtin_memcpy(at, &value, sizeof value);
  at += sizeof value;
}

// float_to_half and back, one register at once; the halves are in the low 16 bits.
inline uvec to_halves(fvec v) {
  const uvec bits = reinterpret_cast<uvec>(v);
  const uvec magnitude = bits & 0x7fffffffu;
  const fvec shifted = reinterpret_cast<fvec>(magnitude) + splat(0.5f);
  const uvec denormal = reinterpret_cast<uvec>(shifted) - 0x3f000000u;
  const uvec normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  return ((bits >> 16) & 0x8000u) | (magnitude < 0x38800000u ? denormal : normal);
}

inline fvec from_halves(uvec half) {
  const uvec magnitude = half & 0x7fffu;
  const ivec whole = reinterpret_cast<ivec>(magnitude);
  const fvec denormal = __builtin_convertvector(whole, fvec) * splat(0x1p-24f);
  const uvec normal = (magnitude << 13) + 0x38000000u;
  const uvec bits = magnitude < 0x400u ? reinterpret_cast<uvec>(denormal) : normal;
  return reinterpret_cast<fvec>(bits | (half & 0x8000u) << 16);
}
