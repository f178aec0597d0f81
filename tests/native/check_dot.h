// check_dot.h - every dot kernel of a level against the scalar kernel, bit for bit.
#pragma once
#include <cmath>
#include <vector>

#include "guarded.h"
#include "scan.h"

namespace check {

using namespace fewbits;

struct Column {
  const char* name;
  Packing packing;
  bool hamming;
  DotFn* Kernels::*kernel;
};

inline const Column columns[] = {{"dot_i8", Packing::i8, false, &Kernels::dot_i8},
                                 {"dot_u4", Packing::u4, false, &Kernels::dot_u4},
                                 {"dot_trit", Packing::trit, false, &Kernels::dot_trit},
                                 {"dot_b1", Packing::b1, false, &Kernels::dot_b1},
                                 {"dot_f16", Packing::f16, false, &Kernels::dot_f16},
                                 {"hamming", Packing::b1, true, &Kernels::hamming}};

enum class Pattern { low, high, alternating, random };
inline constexpr Pattern patterns[] = {Pattern::low, Pattern::high, Pattern::alternating,
                                       Pattern::random};

inline size_t payload_bytes(Packing packing, size_t d) {
  switch (packing) {
    case Packing::i8: return d;
    case Packing::u4: return (d + 1) / 2;
    case Packing::trit: return (d + 4) / 5;
    case Packing::b1: return (d + 7) / 8;
    default: return 2 * d;
  }
}

// The two extreme values of a code byte (of a half's bytes in turn: -65504, 65504).
inline uint8_t extreme(Packing packing, bool high, size_t b) {
  if (packing == Packing::i8) return high ? 127 : 128;
  if (packing == Packing::f16) return b % 2 == 0 ? 0xff : high ? 0x7b : 0xfb;
  return high ? 255 : 0;
}

inline void fill_row(const Column& column, Pattern pattern, size_t d, Random& random,
                     uint8_t* row) {
  const size_t bytes = payload_bytes(column.packing, d);
  const bool half = column.packing == Packing::f16;
  for (size_t b = 0; b < bytes; ++b) {
    const bool odd = (half ? b / 2 : b) % 2 != 0;
    switch (pattern) {
      case Pattern::low: row[b] = extreme(column.packing, false, b); break;
      case Pattern::high: row[b] = extreme(column.packing, true, b); break;
      case Pattern::alternating: row[b] = extreme(column.packing, odd, b); break;
      case Pattern::random: row[b] = static_cast<uint8_t>(random.bits()); break;
    }
    // Halves are finite: an exponent of 31 becomes 15, every other (0 too) may come.
    if (half && b % 2 == 1 && (row[b] & 0x7c) == 0x7c && pattern == Pattern::random) row[b] ^= 0x40;
  }
  if (column.hamming && d % 8 != 0) row[bytes - 1] &= static_cast<uint8_t>(0xff00 >> (d % 8));
}

// One query of `planes` planes that meets `pattern` rows at the ends of the exact range.
struct Query {
  std::vector<int8_t> plane;
  std::vector<float> dense, weight;
  std::vector<int32_t> base;
  float t = 0, gamma = 0;

  Query(const Column& column, Pattern pattern, size_t d, size_t planes, Random& random) {
    const size_t width = column.hamming ? payload_bytes(Packing::b1, d) : d;
    plane.resize(width * planes);
    for (size_t j = 0; j < plane.size(); ++j) {
      const int value = random.below(255) - 127;
      const bool flip = pattern == Pattern::low || (pattern == Pattern::alternating && j % 2 == 0);
      plane[j] = static_cast<int8_t>(pattern == Pattern::random ? value : flip ? -127 : 127);
    }
    if (column.hamming) fill_row(column, pattern, d, random, reinterpret_cast<uint8_t*>(plane.data()));
    dense.resize(d);
    for (size_t j = 0; j < d; ++j) {
      const float value = random.signed_unit();
      dense[j] = pattern == Pattern::random ? (j % 5 == 4 ? -0.0f : value) : std::ldexp(value, 10);
    }
    for (size_t p = 0; p < planes; ++p) {
      weight.push_back(random.signed_unit());
      base.push_back(random.below(2000001) - 1000000);
    }
  }

  QueryArrays arrays() const {
    QueryArrays a;
    a.n = 1;
    a.planes = weight.size();
    a.plane = plane.data();
    a.dense = dense.data();
    a.weight = weight.data();
    a.base = base.data();
    a.t = &t;
    a.gamma = &gamma;
    return a;
  }
};

inline Layout layout_of(const Column& column, size_t d, size_t factors) {
  Layout layout;
  layout.packing = column.packing;
  layout.hamming = column.hamming;
  layout.d = d;
  layout.gain = column.packing == Packing::i8 ? 1 : 2;
  layout.stride = payload_bytes(column.packing, d) + 4 * factors;
  return layout;
}

// All row counts and row offsets of one column, d, pattern and number of planes.
inline void check_case(const Column& column, const std::vector<Kernels>& levels, size_t d,
                       Pattern pattern, size_t planes, const std::vector<size_t>& counts,
                       const Guarded& memory, Tally& tally) {
  Random random(d * 8 + static_cast<size_t>(pattern) * 2 + planes);
  const size_t most = counts.back();
  const size_t payload = payload_bytes(column.packing, d);
  const Query query(column, pattern, d, planes, random);
  for (size_t offset = 0; offset < 4; ++offset) {
    const Layout layout = layout_of(column, d, offset);
    std::vector<uint8_t> rows(most * layout.stride);
    for (uint8_t& byte : rows) byte = static_cast<uint8_t>(random.bits());
    for (size_t i = 0; i < most; ++i) {
      fill_row(column, pattern, d, random, rows.data() + i * layout.stride);
    }
    const PreparedQueries prepared(layout, query.arrays());
    std::vector<float> wanted(most), got(most + 16);
    (levels[0].*column.kernel)(rows.data(), most, layout.stride, d, prepared[0], wanted.data());
    for (const size_t n : counts) {
      const size_t bytes = n == 0 ? 0 : (n - 1) * layout.stride + payload;
      uint8_t* at = memory.ending(bytes, offset);
      std::memcpy(at, rows.data(), bytes);
      for (size_t level = 1; level < levels.size(); ++level) {
        std::fill(got.begin(), got.end(), 1234.5f);  // what follows the n results must stay
        (levels[level].*column.kernel)(at, n, layout.stride, d, prepared[0], got.data());
        std::vector<float> all(wanted.begin(), wanted.begin() + static_cast<ptrdiff_t>(n));
        all.resize(got.size(), 1234.5f);
        tally.same(got.data(), all.data(), got.size() * sizeof(float),
                   std::string(name(levels[level].level)) + " " + column.name + " d=" +
                       std::to_string(d) + " n=" + std::to_string(n) + " planes=" +
                       std::to_string(planes) + " offset=" + std::to_string(offset) +
                       " pattern=" + std::to_string(static_cast<int>(pattern)));
      }
    }
  }
}

inline void check_dots(const std::vector<Kernels>& levels, Tally& tally) {
  std::vector<size_t> sizes;
  for (size_t d = 1; d <= 67; ++d) sizes.push_back(d);
  for (size_t d : {127, 128, 129, 255, 256, 257, 383, 384, 385, 511, 512, 513, 1023, 1024, 1025}) {
    sizes.push_back(d);
  }
  const Guarded memory(size_t{81} * (2 * 4096 + 16) + 65536 * 4);
  for (const Column& column : columns) {
    const size_t most_planes = column.hamming || column.packing == Packing::f16 ? 1 : 2;
    for (const Pattern pattern : patterns) {
      for (size_t planes = 1; planes <= most_planes; ++planes) {
        const auto check = [&](size_t d, const std::vector<size_t>& counts) {
          check_case(column, levels, d, pattern, planes, counts, memory, tally);
        };
        for (const size_t d : sizes) check(d, {0, 1, 3, 15, 16, 17, 33, 81});
        check(4096, {1, 17});
        check(65535, {1, 2});
      }
    }
  }
}

}  // namespace check
