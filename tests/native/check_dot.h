// check_dot.h - every dot kernel of a level against the scalar kernel, bit for bit.
#pragma once
#include <cmath>
#include <vector>

#include "guarded.h"
#include "table.h"

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

inline size_t sub_planes(Packing packing) {
  return packing == Packing::trit ? 5 : packing == Packing::u4 ? 2 : 1;
}

inline size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// One query of `planes` planes, laid out as query.h says, that meets `pattern` rows at the ends of
// the exact range. Its last pad byte is the last one before the guard page.
inline QueryView query_of(const Column& column, Pattern pattern, size_t d, size_t planes,
                          Random& random, const Guarded& memory) {
  const size_t subs = sub_planes(column.packing);
  const bool bits = column.packing == Packing::b1 && !column.hamming;
  QueryView view;
  view.gain = column.packing == Packing::i8 ? 1 : 2;
  view.planes = static_cast<int>(planes);
  if (column.packing == Packing::f16) {
    const size_t bytes = round_up(d * sizeof(float), plane_align);
    float* dense = reinterpret_cast<float*>(memory.ending(bytes));
    std::memset(dense, 0, bytes);
    for (size_t j = 0; j < d; ++j) {
      const float value = random.signed_unit();
      dense[j] = pattern == Pattern::random ? (j % 5 == 4 ? -0.0f : value) : std::ldexp(value, 10);
    }
    view.dense = dense;
    return view;
  }
  view.sub = round_up(bits ? round_up(d, 8) : (d + subs - 1) / subs, plane_align);
  uint8_t* at = memory.ending(planes * subs * view.sub);
  std::memset(at, 0, planes * subs * view.sub);
  for (size_t p = 0; p < planes; ++p, at += subs * view.sub) {
    int8_t* plane = reinterpret_cast<int8_t*>(at);
    if (column.hamming) fill_row(column, pattern, d, random, at);
    for (size_t j = 0; j < d && !column.hamming; ++j) {
      const bool flip = pattern == Pattern::low || (pattern == Pattern::alternating && j % 2 == 0);
      const int value = pattern == Pattern::random ? random.below(255) - 127 : flip ? -127 : 127;
      const size_t place = bits ? j / 8 * 8 + 7 - j % 8 : j % subs * view.sub + j / subs;
      plane[place] = static_cast<int8_t>(value);
    }
    view.plane[p] = plane;
    view.weight[p] = random.signed_unit();
    view.base[p] = random.below(2000001) - 1000000;
  }
  return view;
}

// All row counts and row offsets of one column, d, pattern and number of planes.
inline void check_case(const Column& column, const std::vector<Kernels>& levels, size_t d,
                       Pattern pattern, size_t planes, const std::vector<size_t>& counts,
                       const Guarded& memory, const Guarded& plane_memory, Tally& tally) {
  Random random(d * 8 + static_cast<size_t>(pattern) * 2 + planes);
  const size_t most = counts.back();
  const size_t payload = payload_bytes(column.packing, d);
  const QueryView query = query_of(column, pattern, d, planes, random, plane_memory);
  for (size_t offset = 0; offset < 4; ++offset) {
    const size_t stride = payload + 4 * offset;
    std::vector<uint8_t> rows(most * stride);
    for (uint8_t& byte : rows) byte = static_cast<uint8_t>(random.bits());
    for (size_t i = 0; i < most; ++i) {
      fill_row(column, pattern, d, random, rows.data() + i * stride);
    }
    std::vector<float> wanted(most), got(most + 16);
    (levels[0].*column.kernel)(rows.data(), most, stride, d, query, wanted.data());
    for (const size_t n : counts) {
      const size_t bytes = n == 0 ? 0 : (n - 1) * stride + payload;
      uint8_t* at = memory.ending(bytes, offset);
      std::memcpy(at, rows.data(), bytes);
      for (size_t level = 1; level < levels.size(); ++level) {
        std::fill(got.begin(), got.end(), 1234.5f);  // what follows the n results must stay
        (levels[level].*column.kernel)(at, n, stride, d, query, got.data());
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
  const Guarded plane_memory(65536 * 4);
  for (const Column& column : columns) {
    const size_t most_planes = column.hamming || column.packing == Packing::f16 ? 1 : 2;
    for (const Pattern pattern : patterns) {
      for (size_t planes = 1; planes <= most_planes; ++planes) {
        const auto check = [&](size_t d, const std::vector<size_t>& counts) {
          check_case(column, levels, d, pattern, planes, counts, memory, plane_memory, tally);
        };
        for (const size_t d : sizes) check(d, {0, 1, 3, 15, 16, 17, 33, 81});
        check(4096, {1, 17});
        check(65535, {1, 2});
      }
    }
  }
}

}  // namespace check
