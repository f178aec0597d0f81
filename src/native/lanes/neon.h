// neon.h - what the NEON kernels share: the walk over rows and bytes, the tails, the reduction.
// Include inside an anonymous namespace after arm_neon.h and query.h.
//
// A kernel says how its codes become products, by a struct of
//   width: bytes of a row per step
//   block: bytes whose sums fit int16, a multiple of width; 0: add() sums in int32
//   load(at): the codes of `width` bytes
//   add<planes>(codes, q, j, sum): sum[p] += <codes, plane p>, the codes being those from byte j on

// Codes that are a register of bytes as they lie in memory.
struct Register {
  static constexpr size_t width = 16;
  static constexpr size_t block = 0;

  static uint8x16_t load(const void* at) { return vld1q_u8(static_cast<const uint8_t*>(at)); }
};

// The first `left` bytes, zeros after them.
template <typename Codes>
inline auto load_part(const uint8_t* at, size_t left) {
  alignas(Codes::width) uint8_t copy[Codes::width] = {0};
  if (Codes::width == 2) left = 1;  // as left < width says: a known length saves a call
  __builtin_memcpy(copy, at, left);
  return Codes::load(copy);
}

// sum[i] += a[i] b[i] + a[8 + i] b[8 + i]
inline int16x8_t multiply_add(int16x8_t sum, uint8x16_t a, const int8_t* b) {
  const int8x16_t codes = vreinterpretq_s8_u8(a), plane = vld1q_s8(b);
  sum = vmlal_s8(sum, vget_low_s8(codes), vget_low_s8(plane));
  return vmlal_high_s8(sum, codes, plane);
}

// sum[r][p] += <bytes j .. stop of row r, plane p>.
template <typename Codes, typename Sum, int rows, int planes>
inline void add_rows(const uint8_t* at, size_t stride, size_t j, size_t stop, const QueryView& q,
                     Sum (&sum)[rows][planes]) {
  const auto step = [&](const auto& fetch) {
    for (int r = 0; r < rows; ++r) {
      const auto codes = fetch(at + static_cast<size_t>(r) * stride + j);
      Codes::template add<planes>(codes, q, j, sum[r]);
    }
  };
  for (; j + Codes::width <= stop; j += Codes::width) {
    step([](const uint8_t* from) { return Codes::load(from); });
  }
  if (j < stop) step([&](const uint8_t* from) { return load_part<Codes>(from, stop - j); });
}

// raw[r][p] = <codes of row r, plane p>.
template <typename Codes, int planes, int rows>
inline void dot_rows(const uint8_t* at, size_t stride, size_t bytes, const QueryView& q,
                     int32_t (*raw)[2]) {
  int32x4_t acc[rows][planes];
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < planes; ++p) acc[r][p] = vdupq_n_s32(0);
  }
  if constexpr (Codes::block == 0) {
    add_rows<Codes>(at, stride, 0, bytes, q, acc);
  } else {
    for (size_t j = 0; j < bytes; j += Codes::block) {
      const size_t stop = bytes - j > Codes::block ? j + Codes::block : bytes;
      int16x8_t pairs[rows][planes];
      for (int r = 0; r < rows; ++r) {
        for (int p = 0; p < planes; ++p) pairs[r][p] = vdupq_n_s16(0);
      }
      add_rows<Codes>(at, stride, j, stop, q, pairs);
      for (int r = 0; r < rows; ++r) {
        for (int p = 0; p < planes; ++p) acc[r][p] = vpadalq_s16(acc[r][p], pairs[r][p]);
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < planes; ++p) raw[r][p] = vaddvq_s32(acc[r][p]);
  }
}

template <typename Codes, int planes>
inline void dot_planes(const uint8_t* rows, size_t n, size_t stride, size_t bytes,
                       const QueryView& q, float* out) {
  int32_t raw[4][2];
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    dot_rows<Codes, planes, 4>(rows + i * stride, stride, bytes, q, raw);
    for (size_t r = 0; r < 4; ++r) out[i + r] = finish_dot(q, raw[r]);
  }
  for (; i < n; ++i) {
    dot_rows<Codes, planes, 1>(rows + i * stride, stride, bytes, q, raw);
    out[i] = finish_dot(q, raw[0]);
  }
}

// `bytes`: the code bytes of a row.
template <typename Codes>
inline void dot_all(const uint8_t* rows, size_t n, size_t stride, size_t bytes, const QueryView& q,
                    float* out) {
  if (q.planes == 2) return dot_planes<Codes, 2>(rows, n, stride, bytes, q, out);
  dot_planes<Codes, 1>(rows, n, stride, bytes, q, out);
}
