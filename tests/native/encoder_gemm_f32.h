// encoder_gemm_f32.h - float32 activations times stored weights: a level against the scalar kernel.
//   exact sums    small integers: every level has the scalar kernel's bits
//   any numbers   both are within (k + 2) 2^-24 (sum |a w scale| + |bias|), and what underflows, of
//                 the sum in double precision: what k products and k sums, all rounded, can lose
//   every value   all halves and all bfloat16 come through unchanged (k = 1)
//   a row alone   has the bits that it has among others, for any range of panels
// Inputs and outputs end at unreadable pages; bytes between and past the outputs must stay.
#pragma once
#include <cmath>
#include <vector>

#include "encoder/gemm_f32/gemm_f32.h"
#include "guarded.h"

namespace check {

namespace gemm_f32 {

using fewbits::encoder::Element;
using fewbits::encoder::GemmF32Fn;
using fewbits::encoder::panel;
using fewbits::encoder::panels;
using fewbits::encoder::quads;
using fewbits::encoder::WeightsFloat;

enum class Numbers { exact, usual, tiny, huge };

inline const char* const element_names[] = {"f32", "f16", "bf16", "i8"};
inline const char* const number_names[] = {"exact", "usual", "tiny", "huge"};

inline size_t element_bytes(Element element) {
  return element == Element::f32 ? 4 : element == Element::i8 ? 1 : 2;
}

inline size_t weight_place(Element element, size_t k, size_t j, size_t i) {
  if (element != Element::i8) return ((j / panel) * k + i) * panel + j % panel;
  return ((j / panel) * quads(k) + i / 4) * 64 + j % panel * 4 + i % 4;
}

inline size_t weight_bytes(Element element, size_t n, size_t k) {
  const size_t inputs = element == Element::i8 ? 4 * quads(k) : k;
  return panels(n) * panel * inputs * element_bytes(element);
}

inline uint32_t float_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// The integer -7 .. 7 as a half: 1.mantissa at exponent 15 + log2.
inline uint16_t small_half(int value) {
  const uint32_t bits = float_bits(static_cast<float>(value));
  const uint32_t magnitude = bits & 0x7fffffffu;
  return static_cast<uint16_t>((bits >> 16 & 0x8000u) |
                               (magnitude == 0 ? 0 : (magnitude - 0x38000000u) >> 13));
}

// Exponents: usual, 2^-8 .. 2^0; tiny, 0 (subnormal) to 3; huge, the 8 highest that are finite
// (for bf16 and float32: around 2^52, so that sums stay finite).
inline uint32_t exponent(Numbers numbers, bool half, Random& random) {
  const uint32_t low = static_cast<uint32_t>(random.below(8));
  if (numbers == Numbers::usual) return (half ? 8 : 120) + low;
  if (numbers == Numbers::tiny) return low / 2;
  return (half ? 23 : 172) + low;
}

inline void put_weight(Element element, Numbers numbers, Random& random, uint8_t* at) {
  const int small = random.below(15) - 7;
  const uint32_t noise = random.bits();
  if (element == Element::i8) {
    *at = static_cast<uint8_t>(numbers == Numbers::huge ? (noise & 1 ? 127 : -127)
                                                        : static_cast<int>(noise % 255) - 127);
    return;
  }
  const bool half = element == Element::f16;
  uint32_t bits = float_bits(static_cast<float>(small));
  if (element == Element::bf16) bits >>= 16;
  if (half) bits = small_half(small);
  if (numbers != Numbers::exact) {
    const uint32_t power = exponent(numbers, half, random);
    bits = half ? (noise & 0x83ffu) | power << 10 : (noise & 0x807fffffu) | power << 23;
    if (element == Element::bf16) bits >>= 16;
  }
  std::memcpy(at, &bits, element_bytes(element));  // little-endian
}

// A layer and its activations in memory that ends where they end.
struct Case {
  Guarded values_memory, a_memory, out_memory, scale_memory, bias_memory;
  size_t m = 0, a_stride = 0, out_stride = 0;
  float* a = nullptr;
  float* out = nullptr;
  WeightsFloat w{};

  Case()
      : values_memory(1 << 21), a_memory(1 << 21), out_memory(1 << 23), scale_memory(1 << 19),
        bias_memory(1 << 19) {}

  void layer(Element element, Numbers numbers, size_t n, size_t k, Random& random) {
    const size_t bytes = weight_bytes(element, n, k), columns = panels(n) * panel;
    uint8_t* values = values_memory.ending(bytes, (64 - bytes % 64) % 64);
    std::memset(values, 0, bytes);
    for (size_t j = 0; j < n; ++j) {
      for (size_t i = 0; i < k; ++i) {
        put_weight(element, numbers, random,
                   values + weight_place(element, k, j, i) * element_bytes(element));
      }
    }
    float* scale = floats(scale_memory, columns);
    float* bias = floats(bias_memory, columns);
    for (size_t j = 0; j < columns; ++j) {
      const bool exact = numbers == Numbers::exact, there = j < n;
      scale[j] = !there ? 0 : exact ? 0.5f : 0.01f + std::fabs(random.signed_unit());
      bias[j] = !there ? 0 : exact ? static_cast<float>(random.below(99)) : random.signed_unit();
    }
    w = {values, element, element == Element::i8 ? scale : nullptr, bias, n, k};
  }

  void rows(size_t count, Numbers numbers, Random& random) {
    m = count;
    a_stride = w.k + static_cast<size_t>(random.below(3));
    out_stride = w.n + static_cast<size_t>(random.below(3));
    a = floats(a_memory, m == 0 ? 0 : (m - 1) * a_stride + w.k);
    out = floats(out_memory, out_size());
    for (size_t i = 0; m > 0 && i < (m - 1) * a_stride + w.k; ++i) {
      a[i] = numbers == Numbers::exact ? static_cast<float>(random.below(31) - 15)
                                       : random.signed_unit();
    }
  }

  size_t out_size() const { return m == 0 ? 0 : (m - 1) * out_stride + w.n; }

  // What `kernel` leaves of outputs that were 1234.5.
  std::vector<float> run(GemmF32Fn* kernel, size_t first, size_t last) const {
    for (size_t i = 0; i < out_size(); ++i) out[i] = 1234.5f;
    kernel(a, m, a_stride, w, first, last, out, out_stride);
    return std::vector<float>(out, out + out_size());
  }

 private:
  static float* floats(const Guarded& memory, size_t count) {
    return reinterpret_cast<float*>(memory.ending(count * sizeof(float)));
  }
};

// Weight (j, i) by the definition of its element, without the scalar kernel's help.
inline double weight_value(const WeightsFloat& w, size_t j, size_t i) {
  const uint8_t* at = static_cast<const uint8_t*>(w.values) +
                      weight_place(w.element, w.k, j, i) * element_bytes(w.element);
  if (w.element == Element::i8) return static_cast<int8_t>(*at);
  uint32_t bits = 0;
  std::memcpy(&bits, at, element_bytes(w.element));
  if (w.element == Element::f16) {
    const int power = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
    const double size = std::ldexp(power ? 1024 + fraction : fraction, (power ? power : 1) - 25);
    return bits & 0x8000u ? -size : size;
  }
  if (w.element == Element::bf16) bits <<= 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return double{value};
}

inline std::vector<double> weights_of(const WeightsFloat& w) {
  std::vector<double> out(w.n * w.k);
  for (size_t at = 0; at < out.size(); ++at) out[at] = weight_value(w, at / w.k, at % w.k);
  return out;
}

// The output in double precision, and how far a float32 chain may be from it.
struct Bounds { double value, error; };

inline Bounds bounds(const Case& c, const std::vector<double>& weights, size_t r, size_t j) {
  double value = 0, sum = 0;
  for (size_t i = 0; i < c.w.k; ++i) {
    const double product = double{c.a[r * c.a_stride + i]} * weights[j * c.w.k + i];
    value += product;
    sum += std::fabs(product);
  }
  const double scale = c.w.scale ? double{c.w.scale[j]} : 1, bias = double{c.w.bias[j]};
  const double terms = static_cast<double>(c.w.k) + 2;
  return {value * scale + bias,
          terms * 0x1p-24 * (sum * scale + std::fabs(bias)) + terms * 0x1p-149};
}

inline void count(Tally& tally, bool good, const std::string& what) {
  if (good) {
    ++tally.passed;
  } else if (tally.failed++ < 20) {
    std::printf("gemm_f32: %s\n", what.c_str());
  }
}

inline void check_values(const Case& c, GemmF32Fn* kernel, Numbers numbers, Tally& tally,
                         const std::string& what) {
  const std::vector<float> wanted = c.run(fewbits::encoder::gemm_f32_scalar, 0, panels(c.w.n));
  const std::vector<float> got = c.run(kernel, 0, panels(c.w.n));
  if (numbers == Numbers::exact || c.m == 0) {
    tally.same(got.data(), wanted.data(), wanted.size() * sizeof(float), what);
    return;
  }
  const std::vector<double> weights = weights_of(c.w);
  bool good = true;
  for (size_t i = 0; i < wanted.size() && good; ++i) {
    const size_t r = i / c.out_stride, j = i % c.out_stride;
    const bool gap = j >= c.w.n;
    const Bounds limit = gap ? Bounds{1234.5, 0} : bounds(c, weights, r, j);
    good = std::fabs(double{got[i]} - limit.value) <= limit.error &&
           std::fabs(double{wanted[i]} - limit.value) <= limit.error;
  }
  count(tally, good, what + ": beyond the tolerance");
}

// Each row by itself, and each half of the panels by itself, give the bits of the whole.
inline void check_independence(const Case& c, GemmF32Fn* kernel, Tally& tally,
                               const std::string& what) {
  const size_t all = panels(c.w.n), middle = all / 2;
  const std::vector<float> whole = c.run(kernel, 0, all);
  bool good = true;
  std::vector<float> row(c.w.n);
  for (size_t r = 0; r < c.m; ++r) {
    kernel(c.a + r * c.a_stride, 1, c.a_stride, c.w, 0, all, row.data(), c.w.n);
    good = good && std::memcmp(row.data(), whole.data() + r * c.out_stride,
                               c.w.n * sizeof(float)) == 0;
  }
  count(tally, good, what + ": a row depends on the others");
  std::vector<float> low = c.run(kernel, 0, middle);
  const std::vector<float> high = c.run(kernel, middle, all);
  bool kept = true;
  for (size_t i = 0; i < whole.size(); ++i) {
    const bool first = i % c.out_stride < middle * panel;
    kept = kept && (first ? high[i] : low[i]) == 1234.5f;
    if (!first) low[i] = high[i];
  }
  count(tally, kept, what + ": written outside of the panels");
  tally.same(low.data(), whole.data(), whole.size() * sizeof(float), what + " by halves");
}

// All 65,536 values of a 16-bit element.
inline void check_every_value(Case& c, Element element, GemmF32Fn* kernel, Tally& tally,
                              const std::string& what) {
  constexpr size_t n = 65536;
  Random random(1);
  c.layer(element, Numbers::usual, n, 1, random);
  uint16_t* values = reinterpret_cast<uint16_t*>(c.values_memory.ending(2 * n));
  float* bias = reinterpret_cast<float*>(c.bias_memory.ending(n * sizeof(float)));
  std::memset(bias, 0, n * sizeof(float));
  for (size_t j = 0; j < n; ++j) values[j] = static_cast<uint16_t>(j);
  for (const size_t m : {1, 2, 19}) {
    c.rows(m, Numbers::exact, random);
    for (size_t r = 0; r < m; ++r) c.a[r * c.a_stride] = 1;
    const std::vector<float> wanted = c.run(fewbits::encoder::gemm_f32_scalar, 0, panels(n));
    const std::vector<float> got = c.run(kernel, 0, panels(n));
    bool good = true;
    for (size_t i = 0; i < wanted.size(); ++i) {
      good = good && (std::isnan(wanted[i]) ? std::isnan(got[i])
                                            : float_bits(got[i]) == float_bits(wanted[i]));
    }
    count(tally, good, what + " every value m=" + std::to_string(m));
  }
}

}  // namespace gemm_f32

inline void check_encoder_gemm_f32(fewbits::encoder::GemmF32Fn* kernel, const char* level,
                                   Tally& tally) {
  using namespace gemm_f32;
  Case c;
  Random random(11);
  const auto check = [&](Element element, Numbers numbers, size_t n, size_t k,
                         const std::vector<size_t>& counts) {
    c.layer(element, numbers, n, k, random);
    for (const size_t m : counts) {
      c.rows(m, numbers, random);
      const std::string what =
          std::string(level) + " " + element_names[static_cast<int>(element)] + " " +
          number_names[static_cast<int>(numbers)] + " m=" + std::to_string(m) +
          " n=" + std::to_string(n) + " k=" + std::to_string(k);
      check_values(c, kernel, numbers, tally, what);
      check_independence(c, kernel, tally, what);
    }
  };
  for (const Element element : {Element::f32, Element::f16, Element::bf16, Element::i8}) {
    for (const Numbers numbers : {Numbers::exact, Numbers::usual, Numbers::tiny, Numbers::huge}) {
      for (const size_t n : {1, 15, 16, 33, 64, 111}) {
        for (const size_t k : {1, 3, 4, 7, 37}) {
          check(element, numbers, n, k, {0, 1, 2, 3, 4, 5, 6, 11, 13, 29});
        }
      }
      for (const size_t k : {127, 129, 513}) check(element, numbers, 87, k, {1, 8, 19});
      check(element, numbers, 71, 1536, {1, 19});
    }
  }
  check_every_value(c, Element::f16, kernel, tally, std::string(level) + " f16");
  check_every_value(c, Element::bf16, kernel, tally, std::string(level) + " bf16");
}

}  // namespace check
