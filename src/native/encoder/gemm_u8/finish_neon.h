// finish_neon.h - four channels of a row: sums of signed inputs to floats. Include inside an
// anonymous namespace after <arm_neon.h> and gemm_u8.h.

struct Job {
  const uint8_t* a;
  size_t a_stride;
  const Row* rows;
  const WeightsI8& w;
  float* out;
  size_t out_stride;
};

// Four inputs of a row, four times, as signed numbers: code - 128.
inline int8x16_t signed_quad(const uint8_t* at) {
  uint32_t quad;
  __builtin_memcpy(&quad, at, sizeof quad);
  return vreinterpretq_s8_u32(veorq_u32(vdupq_n_u32(quad), vdupq_n_u32(0x80808080u)));
}

// sum of (a - zero) * code = sum of (a - 128) * code + (128 - zero) * sum of code.
inline void finish(const Job& job, size_t row, size_t at, int32x4_t sum) {
  if (at >= job.w.n) return;
  const Row& r = job.rows[row];
  const int32x4_t exact = vmlaq_n_s32(sum, vld1q_s32(job.w.sums + at), 128 - r.zero);
  const float32x4_t scale = vmulq_n_f32(vld1q_f32(job.w.scale + at), r.scale);
  const float32x4_t value = vfmaq_f32(vld1q_f32(job.w.bias + at), vcvtq_f32_s32(exact), scale);
  float* out = job.out + row * job.out_stride + at;
  if (at + 4 <= job.w.n) {
    vst1q_f32(out, value);
  } else {
    float some[4];
    vst1q_f32(some, value);
    for (size_t j = 0; j < job.w.n - at; ++j) out[j] = some[j];
  }
}
