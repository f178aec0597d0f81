// check_trellis_encode.h - trellis encoding of a level against the scalar one, bit for bit.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>

#include "check_rest.h"
#include "trellis/encode.h"

namespace check {

struct TrellisCase {
  size_t d;
  std::vector<uint8_t> widths;  // one per group of 8 columns, ascending
  size_t lists;
  Metric metric;
  size_t scalar_bytes;
};

// Columns of any direction: encoding never asks them to be orthogonal.
inline std::unique_ptr<trellis::Plan> plan_of(const TrellisCase& c, Random& random) {
  trellis::Settings s;
  s.d = c.d;
  s.m = 8 * c.widths.size();
  s.lists = c.lists;
  s.metric = c.metric;
  s.id_bytes = c.lists == 1 ? 0 : c.lists <= 256 ? 1 : 2;
  s.scalar_bytes = c.scalar_bytes;
  s.rest_weight = 0.02;
  s.s_low = c.scalar_bytes == 1 ? 0.5f : 0.0f;
  s.s_step = s.b_step = c.scalar_bytes == 1 ? 0.01f : 0.75f;
  s.b_low = c.scalar_bytes == 1 ? -1.0f : 0.0f;
  const float spread = std::min(1.0f, 1.7f / std::sqrt(static_cast<float>(c.d)));
  std::vector<int16_t> basis(s.m * c.d);
  std::vector<float> sigma(s.m), centroids(c.lists * c.d), mh(c.lists * s.m);
  for (int16_t& value : basis) value = static_cast<int16_t>(random.signed_unit() * 32767 * spread);
  for (float& value : sigma) value = 0.01f + std::fabs(random.signed_unit()) / 8;
  for (float& value : centroids) value = random.signed_unit() * spread / 4;
  for (float& value : mh) value = random.signed_unit() / 4;
  sigma[s.m - 1] = 0;
  if (c.lists > 2) std::fill_n(centroids.begin(), c.d, 0.0f);
  return std::make_unique<trellis::Plan>(s, basis.data(), sigma.data(), c.widths.data(),
                                         centroids.data(), mh.data());
}

inline std::string describe(const TrellisCase& c) {
  std::string out = " d=" + std::to_string(c.d) + " lists=" + std::to_string(c.lists) +
                    " metric=" + std::to_string(static_cast<int>(c.metric)) +
                    " scalars=" + std::to_string(c.scalar_bytes) + " widths=";
  for (const uint8_t width : c.widths) out += std::to_string(width) + ",";
  return out;
}

// Extreme values included: sums of a row of 32767s wrap, in every level alike.
inline void check_project(const std::vector<Kernels>& levels, size_t d, size_t count, size_t n,
                          const Guarded& in, const Guarded& to, Tally& tally) {
  Random random(d * 7 + count);
  std::vector<int16_t> columns(count * d);
  for (int16_t& value : columns) value = static_cast<int16_t>(random.below(65535) - 32767);
  const trellis::Packed packed(columns.data(), count, d);
  const size_t row = trellis::row16_size(d), width = trellis::project_size(count);
  int16_t* rows = reinterpret_cast<int16_t*>(in.ending(n * row * sizeof(int16_t)));
  for (size_t i = 0; i < n * row; ++i) {
    rows[i] = i % row >= d ? 0 : i % 3 == 0 ? 32767 : static_cast<int16_t>(random.bits());
  }
  std::vector<int32_t> wanted(n * width);
  levels[0].trellis_project(rows, n, row, packed, wanted.data(), width);
  for (size_t level = 1; level < levels.size(); ++level) {
    const size_t bytes = wanted.size() * sizeof(int32_t);
    int32_t* got = reinterpret_cast<int32_t*>(to.ending(bytes));
    levels[level].trellis_project(rows, n, row, packed, got, width);
    tally.same(got, wanted.data(), bytes,
               std::string(name(levels[level].level)) + " project d=" + std::to_string(d) +
                   " columns=" + std::to_string(count) + " n=" + std::to_string(n));
  }
}

// Targets up to the ends of the range, beyond what any data gives.
inline void check_path(const std::vector<Kernels>& levels, const TrellisCase& c, size_t n,
                       const Guarded& in, const Guarded& to, const Guarded& between,
                       Tally& tally) {
  Random random(c.widths.size() * 16 + n);
  const auto plan = plan_of(c, random);
  const size_t m = plan->set.m, stride = plan->stream_bits / 8;
  const size_t rows = trellis::path_rows;
  int32_t* y = reinterpret_cast<int32_t*>(in.ending(rows * m * sizeof(int32_t)));
  for (size_t i = 0; i < rows * m; ++i) {
    const int most = 127 * trellis::cost_scale[c.widths[i % m / 8] - 1];
    const int value = i / m % 5 == 4 ? (random.below(2) ? most : -most)
                                     : random.below(2 * most + 1) - most;
    y[i] = static_cast<int32_t>((value & 0xffff) | static_cast<uint32_t>(value) << 16);
  }
  trellis::PathScratch scratch;
  uint8_t* at = between.ending((plan->stream_bits + trellis::states / 2) * 4 * rows);
  scratch.costs = reinterpret_cast<uint16_t(*)[trellis::states]>(at);
  scratch.choices = reinterpret_cast<uint32_t*>(at + rows * trellis::states * 2);
  std::vector<uint8_t> wanted(n * stride);
  levels[0].trellis_path(*plan, y, m, n, scratch, wanted.data(), stride);
  for (size_t level = 1; level < levels.size(); ++level) {
    uint8_t* got = to.ending(wanted.size());
    levels[level].trellis_path(*plan, y, m, n, scratch, got, stride);
    tally.same(got, wanted.data(), wanted.size(),
               std::string(name(levels[level].level)) + " path n=" + std::to_string(n) +
                   describe(c));
  }
}

struct Codes {
  std::vector<uint8_t> bytes;
  std::vector<float> distortion;
};

inline Codes encoded(const trellis::Plan& plan, const float* x, const double* extra, size_t n,
                     size_t threads, const Guarded& to) {
  const size_t bytes = n * plan.code_size;
  uint8_t* codes = to.ending(bytes);
  Codes out{std::vector<uint8_t>(bytes), std::vector<float>(n)};
  trellis::encode(plan, x, extra, n, threads, codes, out.distortion.data());
  std::copy(codes, codes + bytes, out.bytes.begin());
  return out;
}

// A row alone has the code that it has among others, whatever the level and the threads.
inline void check_trellis_rows(const std::vector<Kernels>& levels, const TrellisCase& c, size_t n,
                               const Guarded& in, const Guarded& to, Tally& tally) {
  Random random(c.d * 3 + n);
  const auto plan = plan_of(c, random);
  float* x = reinterpret_cast<float*>(in.ending(n * c.d * sizeof(float)));
  fill_vectors(n, c.d, false, random, x);
  std::vector<double> more(n);
  for (double& value : more) value = random.signed_unit();
  const double* extra = n % 2 == 0 ? more.data() : nullptr;
  Codes wanted;
  for (size_t level = 0; level < levels.size(); ++level) {
    set_active_level(levels[level].level);
    const Codes got = encoded(*plan, x, extra, n, 1 + level % 2, to);
    const Codes last = encoded(*plan, x + (n - 1) * c.d, extra ? extra + n - 1 : nullptr, 1, 1, to);
    if (level == 0) wanted = got;
    const std::string what =
        std::string(name(levels[level].level)) + " rows n=" + std::to_string(n) + describe(c);
    const size_t size = plan->code_size;
    tally.same(got.bytes.data(), wanted.bytes.data(), n * size, what);
    tally.same(got.distortion.data(), wanted.distortion.data(), n * sizeof(float), what + " lost");
    tally.same(last.bytes.data(), wanted.bytes.data() + (n - 1) * size, size, what + " alone");
  }
  set_active_level(best_level());
}

inline std::vector<uint8_t> random_widths(size_t groups, bool trellis_only, Random& random) {
  const uint8_t known[] = {1, 2, 3, 4, 6, 8, 12};
  std::vector<uint8_t> out(groups);
  for (uint8_t& width : out) width = known[random.below(trellis_only ? 4 : 7)];
  std::sort(out.begin(), out.end());
  return out;
}

inline void check_trellis_encodes(const std::vector<Kernels>& levels, Tally& tally) {
  const Guarded in(size_t{1} << 20), to(size_t{1} << 20), between(size_t{1} << 20);
  for (const size_t d : {1, 2, 31, 32, 33, 100, 384}) {
    for (const size_t count : {1, 15, 16, 17, 64, 65, 120}) {
      for (const size_t n : {1, 3, 4, 6, 13}) check_project(levels, d, count, n, in, to, tally);
    }
  }
  Random random(11);
  for (uint8_t width = 1; width <= 4; ++width) {
    const TrellisCase c{8, std::vector<uint8_t>(9, width), 1, Metric::ip, 2};
    for (size_t n = 1; n <= trellis::path_rows; ++n) {
      check_path(levels, c, n, in, to, between, tally);
    }
  }
  for (size_t groups = 1; groups <= 24; ++groups) {
    const TrellisCase c{8, random_widths(groups, true, random), 1, Metric::ip, 2};
    check_path(levels, c, 1 + groups % 16, in, to, between, tally);
  }
  for (int i = 0; i < 300; ++i) {
    const size_t d = 1 + static_cast<size_t>(random.below(130));
    const size_t most = (d + 7) / 8, groups = 1 + static_cast<size_t>(random.below(int(most)));
    const size_t lists[] = {1, 1, 3, 8, 300}, scalars[] = {1, 2, 4}, rows[] = {1, 6, 17, 48, 113};
    const TrellisCase c{d, random_widths(groups, i % 2 == 0, random), lists[i % 5],
                        static_cast<Metric>(i % 3), scalars[i / 3 % 3]};
    check_trellis_rows(levels, c, rows[i / 2 % 5], in, to, tally);
  }
}

}  // namespace check
