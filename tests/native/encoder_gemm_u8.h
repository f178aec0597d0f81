// encoder_gemm_u8.h - 8-bit matrix products of a level against plain int64 sums over unpacked
// weights: bit for bit where no product rounds, else within the rounding of a fused multiply-add;
// every buffer ends at a guard page.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "encoder/gemm_u8/gemm_u8.h"
#include "guarded.h"

namespace check {

namespace encoder = fewbits::encoder;

struct GemmShape {
  size_t m, n, k;
};

// Codes and zeros: random, or such that every product has the largest size.
enum class GemmFill { random, high, low, alternating };

inline const GemmFill gemm_fills[] = {GemmFill::random, GemmFill::high, GemmFill::low,
                                      GemmFill::alternating};

class GemmU8Case {
 public:
  // exact: scales are powers of two and biases zero, so that every level gives the same floats.
  GemmU8Case(GemmShape shape, GemmFill fill, bool exact)
      : shape_(shape),
        padded_(encoder::panels(shape.n) * encoder::panel),
        a_stride(4 * encoder::quads(shape.k) + shape.m % 3 * 5),
        out_stride(shape.n + shape.m % 2 * 3),
        a_memory_(shape.m * a_stride + 1),
        codes_memory_(padded_ * 4 * encoder::quads(shape.k)),
        columns_memory_{Guarded(4 * padded_), Guarded(4 * padded_), Guarded(4 * padded_)},
        rows_memory_(shape.m * sizeof(encoder::Row) + 1),
        out_memory_((shape.m * out_stride + 1) * sizeof(float)),
        random_(shape.m * 1000003 + shape.n * 1009 + shape.k),
        plain_(shape.n * shape.k) {
    fill_weights(fill, exact);
    fill_rows(fill, exact);
    out_floats_ = shape.m == 0 ? 1 : (shape.m - 1) * out_stride + shape.n;
    out = reinterpret_cast<float*>(out_memory_.ending(out_floats_ * sizeof(float)));
  }

  // What `out` holds before a call, and after it where nothing may be written.
  static constexpr float untouched = 1234.5f;

  std::vector<float> run(encoder::GemmU8Fn* kernel, size_t first, size_t last) const {
    std::fill(out, out + out_floats_, untouched);
    kernel(a, shape_.m, a_stride, rows, w, first, last, out, out_stride);
    return std::vector<float>(out, out + out_floats_);
  }

  // float(sum) and the two factors, in the order that the header states.
  struct Wanted {
    float value, slack;
  };
  Wanted wanted(size_t i, size_t j) const {
    int64_t sum = 0;
    for (size_t x = 0; x < shape_.k; ++x) {
      sum += (a[i * a_stride + x] - rows[i].zero) * plain_[j * shape_.k + x];
    }
    const float product = static_cast<float>(sum) * (rows[i].scale * w.scale[j]);
    return {product + w.bias[j], (std::fabs(product) + std::fabs(w.bias[j])) * 0x1p-22f};
  }

 private:
  const GemmShape shape_;
  const size_t padded_;

 public:
  const size_t a_stride, out_stride;
  const uint8_t* a = nullptr;
  const encoder::Row* rows = nullptr;
  encoder::WeightsI8 w{};
  float* out = nullptr;

 private:
  int code(GemmFill fill, size_t at) {
    switch (fill) {
      case GemmFill::random: return random_.below(255) - 127;
      case GemmFill::high: return 127;
      case GemmFill::low: return -127;
      case GemmFill::alternating: return at % 2 == 0 ? 127 : -127;
    }
    return 0;
  }

  void fill_weights(GemmFill fill, bool exact) {
    const size_t n = shape_.n, k = shape_.k;
    const size_t bytes = 4 * encoder::quads(k) * padded_;
    int8_t* codes = reinterpret_cast<int8_t*>(codes_memory_.ending(bytes));
    float* scale = reinterpret_cast<float*>(columns_memory_[0].ending(4 * padded_));
    float* bias = reinterpret_cast<float*>(columns_memory_[1].ending(4 * padded_));
    int32_t* sums = reinterpret_cast<int32_t*>(columns_memory_[2].ending(4 * padded_));
    for (size_t j = 0; j < n; ++j) {
      scale[j] = exact ? std::ldexp(1.0f, -random_.below(20)) : 0.01f + random_.signed_unit() / 128;
      bias[j] = exact ? 0 : 100 * random_.signed_unit();
      for (size_t x = 0; x < k; ++x) {
        const int value = code(fill, x);
        plain_[j * k + x] = static_cast<int8_t>(value);
        codes[(j / 16 * encoder::quads(k) + x / 4) * 64 + j % 16 * 4 + x % 4] =
            static_cast<int8_t>(value);
        sums[j] += value;
      }
    }
    w = {codes, scale, sums, bias, n, k};
  }

  void fill_rows(GemmFill fill, bool exact) {
    const size_t row_bytes = 4 * encoder::quads(shape_.k), m = shape_.m;
    const size_t bytes = m == 0 ? 0 : (m - 1) * a_stride + row_bytes;
    uint8_t* at = a_memory_.ending(bytes);
    for (size_t i = 0; i < bytes; ++i) {
      const size_t x = i % a_stride;
      const uint8_t any = static_cast<uint8_t>(random_.bits());  // also what follows input k
      const bool top = fill == GemmFill::high || (fill == GemmFill::alternating && x % 2 == 0);
      at[i] = fill == GemmFill::random || x >= shape_.k ? any : top ? 255 : 0;
    }
    encoder::Row* to =
        reinterpret_cast<encoder::Row*>(rows_memory_.ending(m * sizeof(encoder::Row)));
    static const int zeros[] = {0, 255, 128, 127, 1, 254};
    for (size_t i = 0; i < m; ++i) {
      to[i].scale = exact ? std::ldexp(1.0f, random_.below(9) - 4) : 0.02f * random_.signed_unit();
      const int some = i % 2 == 0 ? zeros[i / 2 % 6] : random_.below(256);
      to[i].zero = fill == GemmFill::high ? 0 : fill == GemmFill::low ? 255 : some;
    }
    a = at, rows = to;
  }

  const Guarded a_memory_, codes_memory_, columns_memory_[3], rows_memory_, out_memory_;
  Random random_;
  std::vector<int8_t> plain_;  // code (j, i) at j * k + i
  size_t out_floats_ = 0;
};

inline std::string gemm_name(const char* level, GemmShape shape, GemmFill fill, const char* what) {
  return std::string(level) + " gemm_u8 " + what + " m=" + std::to_string(shape.m) +
         " n=" + std::to_string(shape.n) + " k=" + std::to_string(shape.k) +
         " fill=" + std::to_string(static_cast<int>(fill));
}

// Panels [first, last) hold the wanted sums, everything else is untouched.
inline void check_gemm_sums(const char* level, encoder::GemmU8Fn* kernel, GemmShape shape,
                            GemmFill fill, bool exact, size_t first, size_t last, Tally& tally) {
  const GemmU8Case test(shape, fill, exact);
  const std::vector<float> got = test.run(kernel, first, last);
  std::vector<float> wanted(got.size(), GemmU8Case::untouched);
  for (size_t i = 0; i < shape.m; ++i) {
    for (size_t j = 16 * first; j < std::min(16 * last, shape.n); ++j) {
      const size_t at = i * test.out_stride + j;
      const GemmU8Case::Wanted value = test.wanted(i, j);
      const bool near = std::fabs(got[at] - value.value) <= value.slack;
      wanted[at] = !exact && near ? got[at] : value.value;
    }
  }
  tally.same(got.data(), wanted.data(), got.size() * sizeof(float),
             gemm_name(level, shape, fill, exact ? "exact" : "rounded"));
}

// Every row alone, every panel alone: the same bits as all at once.
inline void check_gemm_independence(const char* level, encoder::GemmU8Fn* kernel, GemmShape shape,
                                    Tally& tally) {
  const GemmU8Case test(shape, GemmFill::random, false);
  const std::vector<float> all = test.run(kernel, 0, encoder::panels(shape.n));
  std::vector<float> one(all.size(), GemmU8Case::untouched);
  for (size_t i = 0; i < shape.m; ++i) {
    for (size_t p = 0; p < encoder::panels(shape.n); ++p) {
      kernel(test.a + i * test.a_stride, 1, test.a_stride, test.rows + i, test.w, p, p + 1,
             one.data() + i * test.out_stride, test.out_stride);
    }
  }
  tally.same(one.data(), all.data(), all.size() * sizeof(float),
             gemm_name(level, shape, GemmFill::random, "row and panel alone"));
}

inline void check_gemm_u8(const char* level, encoder::GemmU8Fn* kernel, Tally& tally) {
  const auto check = [&](GemmShape shape, GemmFill fill, bool exact) {
    check_gemm_sums(level, kernel, shape, fill, exact, 0, encoder::panels(shape.n), tally);
  };
  for (size_t m = 0; m <= 14; ++m) {
    for (const size_t n : {1, 15, 16, 17, 40, 63, 64, 65, 80, 100, 150}) {
      for (const size_t k : {1, 3, 4, 6, 8, 13}) check({m, n, k}, GemmFill::random, true);
      check_gemm_independence(level, kernel, {m, n, 9 + n}, tally);
    }
  }
  for (const GemmFill fill : gemm_fills) {
    for (size_t k = 1; k <= 70; ++k) check({1 + k % 13, 1 + k * 7 % 90, k}, fill, k % 2 == 0);
    for (const size_t k : {384, 385, 1536, 4095, 4096, 4097, 8200}) check({7, 33, k}, fill, true);
    check({7, 20, 65536}, fill, true);  // the longest exact sums: 255 * 127 * 65,536
  }
  for (size_t first = 0; first <= 9; ++first) {
    for (size_t last = first; last <= 9; ++last) {
      check_gemm_sums(level, kernel, {8, 140, 21}, GemmFill::random, true, first, last, tally);
    }
  }
}

}  // namespace check
