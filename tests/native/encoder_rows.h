// encoder_rows.h - the encoder's row steps of a level against the scalar ones: codes, scales, zeros
// and looked-up rows bit for bit, norms and activations by their error bounds, odd widths included.
#pragma once
#include <cmath>
#include <vector>

#include "encoder/rows/rows.h"
#include "guarded.h"

namespace check {

using fewbits::encoder::Activation;
using fewbits::encoder::Element;
using fewbits::encoder::Ends;
using fewbits::encoder::Norm;
using fewbits::encoder::Row;
using fewbits::encoder::RowSteps;
using fewbits::encoder::Table;

// Buffers of a shape: rows end at pages that no one may touch, in turns with gaps between rows.
struct RowShape {
  size_t rows, width, stride, code_stride;

  size_t floats() const { return (rows - 1) * stride + width; }
  size_t code_width() const { return 4 * fewbits::encoder::quads(width); }
  size_t codes() const { return (rows - 1) * code_stride + code_width(); }
  std::string describe(const std::string& what) const {
    return what + " rows=" + std::to_string(rows) + " width=" + std::to_string(width);
  }
};

struct RowBuffers {
  Guarded x{1 << 17}, more{1 << 17}, weights{1 << 17}, codes{1 << 16};

  float* floats(const Guarded& in, size_t n) const {
    return reinterpret_cast<float*>(in.ending(n * sizeof(float)));
  }
};

// Row r is of kind r % 10: plain values of several sizes, halves of a step (ties), all of one sign,
// constant, zero, of either zero's sign, nearly and truly too flat to scale, huge.
inline void fill_rows(const RowShape& s, Random& random, float* x) {
  const float sizes[] = {1, 30, 1e-3f, 1, 1, 1, 1, 1e-31f, 1e-42f, 1e38f};
  for (size_t r = 0; r < s.rows; ++r) {
    for (size_t i = 0; i < s.width; ++i) {
      const size_t kind = r % 10;
      float value = random.signed_unit() * sizes[kind];
      if (kind == 2) value = static_cast<float>(random.below(511) - 255) * 0.5f;
      if (kind == 3) value = -std::fabs(value);
      if (kind == 4) value = std::fabs(value);
      if (kind == 5) value = 0.37f;
      if (kind == 6) value = random.below(2) ? 0.0f : -0.0f;
      x[r * s.stride + i] = value;
    }
  }
}

inline std::vector<float> copy_of(const float* x, size_t n) { return std::vector<float>(x, x + n); }

// The codes of two runs with what lies between the rows, which none may write.
template <typename Run>
inline void same_codes(const RowShape& s, const RowBuffers& in, const std::string& what,
                       Tally& tally, const Run& run) {
  std::vector<uint8_t> wanted(s.codes(), 0xa5);
  uint8_t* got = in.codes.ending(s.codes());
  std::memset(got, 0xa5, s.codes());
  run(true, wanted.data());
  run(false, got);
  tally.same(got, wanted.data(), s.codes(), s.describe(what) + " codes");
}

inline void check_quantizers(const RowSteps& scalar, const RowSteps& level, const RowShape& s,
                             const RowBuffers& in, Random& random, Tally& tally) {
  float* x = in.floats(in.x, s.floats());
  fill_rows(s, random, x);
  float* inverse = in.floats(in.weights, s.width);
  for (size_t i = 0; i < s.width; ++i) inverse[i] = i % 7 == 0 ? 1e-3f : random.signed_unit();
  for (const int kind : {0, 1, 2, 3}) {
    const bool symmetric = kind % 2 == 1;
    const float* factor = kind < 2 ? nullptr : inverse;
    std::vector<Row> rows[2] = {std::vector<Row>(s.rows), std::vector<Row>(s.rows)};
    same_codes(s, in, "quantized " + std::to_string(kind), tally, [&](bool first, uint8_t* to) {
      (first ? scalar : level)
          .quantize_rows(x, s.rows, s.width, s.stride, factor, symmetric, to, s.code_stride,
                         rows[first].data());
    });
    tally.same(rows[0].data(), rows[1].data(), s.rows * sizeof(Row), s.describe("scales"));
  }
  for (size_t i = 0; i < s.width; ++i) inverse[i] = i % 7 == 0 ? 1e9f : 100 * random.signed_unit();
  Ends ends[2];
  const int32_t zero = random.below(256);
  same_codes(s, in, "fixed", tally, [&](bool first, uint8_t* to) {
    (first ? scalar : level)
        .quantize_fixed(x, s.rows, s.width, s.stride, inverse, zero, to, s.code_stride,
                        ends[first]);
  });
  tally.same(&ends[0], &ends[1], sizeof(Ends), s.describe("ends"));
}

inline void check_lookup(const RowSteps& scalar, const RowSteps& level, const RowShape& s,
                         const RowBuffers& in, Random& random, Tally& tally) {
  const size_t table_rows = 5, sizes[] = {4, 2, 2, 1};
  std::vector<float> scale(table_rows);
  std::vector<int32_t> at(s.rows);
  for (float& value : scale) value = random.signed_unit();
  for (int32_t& row : at) row = random.below(table_rows);
  for (int element = 0; element < 4; ++element) {
    const size_t bytes = table_rows * s.width * sizes[element];
    uint8_t* values = in.more.ending(bytes);
    for (size_t i = 0; i < bytes; ++i) values[i] = static_cast<uint8_t>(random.bits() >> 8);
    if (element < 3) {  // finite: the top exponent bit stays clear
      for (size_t i = sizes[element] - 1; i < bytes; i += sizes[element]) values[i] &= 0xbf;
    }
    const Table table{values, static_cast<Element>(element), element == 3 ? scale.data() : nullptr,
                      table_rows, s.width};
    float* x = in.floats(in.x, s.floats());
    fill_rows(s, random, x);
    std::vector<float> wanted = copy_of(x, s.floats());
    for (const bool add : {true, false}) {
      scalar.lookup(table, at.data(), s.rows, add, wanted.data(), s.stride);
      level.lookup(table, at.data(), s.rows, add, x, s.stride);
      tally.same(x, wanted.data(), s.floats() * sizeof(float),
                 s.describe("lookup " + std::to_string(element)));
    }
  }
}

// Counts the rows' values off by more than bound * max(1, |wanted|).
inline void near(const RowShape& s, const float* got, const float* wanted, float bound,
                 const std::string& what, Tally& tally) {
  float worst = 0;
  for (size_t i = 0; i < s.rows * s.width; ++i) {
    const size_t at = i / s.width * s.stride + i % s.width;
    const float error = std::fabs(got[at] - wanted[at]) / std::fmax(1.0f, std::fabs(wanted[at]));
    worst = error <= worst ? worst : error;
  }
  if (worst <= bound) {
    ++tally.passed;
  } else if (tally.failed++ < 20) {
    std::printf("off by %g: %s\n", static_cast<double>(worst), s.describe(what).c_str());
  }
}

inline void check_norms(const RowSteps& scalar, const RowSteps& level, const RowShape& s,
                        const RowBuffers& in, Random& random, Tally& tally) {
  float* x = in.floats(in.x, s.floats());
  float* residual = in.floats(in.more, s.floats());
  float* weight = in.floats(in.weights, 2 * s.width);
  for (size_t i = 0; i < 2 * s.width; ++i) weight[i] = random.signed_unit();
  const Norm norm{weight, weight + s.width, 1e-5f};
  for (const bool with : {false, true}) {
    const float* more = with ? residual : nullptr;
    for (size_t i = 0; i < s.floats(); ++i) x[i] = 3 * random.signed_unit() + 1;
    for (size_t i = 0; i < s.floats(); ++i) residual[i] = random.signed_unit();
    std::vector<float> wanted = copy_of(x, s.floats()), alone = wanted;
    const size_t last = (s.rows - 1) * s.stride;
    scalar.add_norm(wanted.data(), more, s.rows, s.width, s.stride, norm);
    level.add_norm(alone.data() + last, more ? more + last : more, 1, s.width, s.stride, norm);
    level.add_norm(x, more, s.rows, s.width, s.stride, norm);
    // A row of two nearly equal values magnifies the error of their difference.
    near(s, x, wanted.data(), s.width < 8 ? 1e-3f : 5e-6f, "norm", tally);
    tally.same(x + last, alone.data() + last, s.width * sizeof(float), s.describe("norm alone"));
  }
}

inline void check_activations(const RowSteps& scalar, const RowSteps& level, const RowShape& s,
                              const RowBuffers& in, Random& random, Tally& tally) {
  for (int kind = 0; kind < 5; ++kind) {
    const Activation activation = static_cast<Activation>(kind);
    const std::string what = "activation " + std::to_string(kind);
    float* x = in.floats(in.x, s.floats());
    fill_rows(s, random, x);
    for (size_t i = 0; i < s.width; ++i) x[i] *= 6;
    std::vector<float> wanted = copy_of(x, s.floats()), both = wanted;
    const std::vector<float> factors(s.width, 0.37f);
    const float* factor = kind % 2 == 0 ? nullptr : factors.data();
    scalar.activate(activation, wanted.data(), s.rows, s.width, s.stride);
    level.activate(activation, x, s.rows, s.width, s.stride);
    near(s, x, wanted.data(), 1.2e-6f, what, tally);
    std::vector<Row> rows[2] = {std::vector<Row>(s.rows), std::vector<Row>(s.rows)};
    same_codes(s, in, what, tally, [&](bool apart, uint8_t* to) {
      if (apart) {
        scalar.quantize_rows(x, s.rows, s.width, s.stride, factor, false, to, s.code_stride,
                             rows[0].data());
      } else {
        level.activate_quantize(activation, both.data(), s.rows, s.width, s.stride, factor, false,
                                to, s.code_stride, rows[1].data());
      }
    });
    tally.same(rows[0].data(), rows[1].data(), s.rows * sizeof(Row), s.describe(what + " scales"));
  }
}

// Every step of `level` against `scalar`.
inline void check_rows(const RowSteps& scalar, const RowSteps& level, Tally& tally) {
  const RowBuffers in;
  Random random(23);
  for (const size_t width : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 47, 63, 64, 65, 100, 127,
                             128, 129, 191, 312, 384, 391, 768, 1023}) {
    for (const size_t rows : {1, 2, 11}) {
      const size_t gap = rows == 2 ? 0 : width % 3;
      const RowShape s{rows, width, width + gap, 4 * fewbits::encoder::quads(width) + 4 * gap};
      check_quantizers(scalar, level, s, in, random, tally);
      check_lookup(scalar, level, s, in, random, tally);
      check_norms(scalar, level, s, in, random, tally);
      check_activations(scalar, level, s, in, random, tally);
    }
  }
}

}  // namespace check
