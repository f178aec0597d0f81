// check_rest.h - encode and select of a level against the scalar ones, bit for bit.
#pragma once
#include <cmath>

#include "check_dot.h"

namespace check {

inline Factors factors_of(int flags, size_t offset) {
  Factors factors;
  factors.offset = offset;
  factors.alpha = flags & 1;
  factors.beta = flags & 2;
  factors.nu = flags & 4;
  return factors;
}

inline size_t factor_bytes(const Factors& f) {
  return 4 * (size_t{f.alpha} + size_t{f.beta} + size_t{f.nu});
}

// Ties with the threshold, NaN and infinities included.
inline void check_selects(const std::vector<Kernels>& levels, Tally& tally) {
  const Guarded memory(1 << 20);
  Random random(7);
  const float special[] = {0.5f, -0.5f, 0.0f, -0.0f, std::nanf(""), HUGE_VALF, -HUGE_VALF};
  for (size_t n = 0; n <= 256; ++n) {
    for (const float threshold : {0.5f, 0.0f, -HUGE_VALF, 0.99f}) {
      float* scores = reinterpret_cast<float*>(memory.ending(n * sizeof(float), 0));
      for (size_t i = 0; i < n; ++i) {
        const float value = random.signed_unit();
        scores[i] = i % 5 == 3 ? special[i % 7] : value;
      }
      std::vector<uint16_t> wanted(n + 1, 9999);
      wanted.resize(levels[0].select(scores, n, threshold, wanted.data()));
      for (size_t level = 1; level < levels.size(); ++level) {
        std::vector<uint16_t> got(n + 1, 9999);
        got.resize(levels[level].select(scores, n, threshold, got.data()));
        const std::string what = std::string(name(levels[level].level)) + " select n=" +
                                 std::to_string(n);
        const size_t count = got.size() == wanted.size() ? wanted.size() : 0;
        const uint8_t right = 1, equal = got.size() == wanted.size();
        tally.same(&equal, &right, 1, what + " count");
        tally.same(got.data(), wanted.data(), count * sizeof(uint16_t), what);
      }
    }
  }
}

struct Bounds {
  Packing packing;
  float low, high, high_c;
};

inline constexpr Bounds bounds[] = {{Packing::i8, -128, 127, 127},
                                    {Packing::u4, 0, 15, 7},
                                    {Packing::trit, 0, 2, 1},
                                    {Packing::b1, 0, 1, 1},
                                    {Packing::f16, 0, 0, 0}};

// Rows of every size: normal, constant, zero, huge, tiny; f16 rows stay below 65,520.
inline void fill_vectors(size_t n, size_t d, bool half, Random& random, float* x) {
  for (size_t i = 0; i < n; ++i) {
    const float scales[] = {1, 0, half ? 65504.0f : 1e15f, 1e-40f, 1e-7f, 3};
    const float scale = scales[i % 6];
    for (size_t j = 0; j < d; ++j) {
      const float value = random.signed_unit() * scale;
      x[i * d + j] = i == 5 ? 3.0f : j % 11 == 10 ? -0.0f : value;
    }
  }
}

struct EncodeCase {
  Bounds bound;
  int step_rule, flags;
  bool normalise, correct;
  double rms_factor;
};

inline void check_encode(const std::vector<Kernels>& levels, const EncodeCase& c, size_t d,
                         const Guarded& in, const Guarded& to, Tally& tally) {
  constexpr size_t n = 7;
  Random random(d * 31 + static_cast<size_t>(c.flags));
  EncodePlan plan;
  plan.packing = c.bound.packing;
  plan.step_rule = static_cast<Step>(c.step_rule);
  plan.d = d;
  plan.normalise = c.normalise;
  plan.correct = c.correct;
  plan.sign = plan.packing == Packing::b1;
  plan.low = c.bound.low;
  plan.high = c.bound.high;
  plan.high_c = c.bound.high_c;
  plan.rms_factor = c.rms_factor;
  plan.factors = factors_of(c.flags, payload_bytes(plan.packing, d));
  plan.stride = plan.factors.offset + factor_bytes(plan.factors);
  std::vector<float> mean(padded(d), 0), step(padded(d), 1), zero(padded(d), 0);
  for (size_t j = 0; j < d; ++j) {
    mean[j] = random.signed_unit() / 8;
    step[j] = 0.01f + std::fabs(random.signed_unit()) / 64;
    zero[j] = static_cast<float>(random.below(5)) + (plan.low + plan.high) / 2;
    zero[j] = static_cast<float>(static_cast<int>(zero[j]));
  }
  plan.mean = mean.data();
  plan.step = step.data();
  plan.zero = zero.data();
  float* x = reinterpret_cast<float*>(in.ending(n * d * sizeof(float)));
  fill_vectors(n, d, plan.packing == Packing::f16, random, x);
  std::vector<float> scratch(3 * padded(d));
  std::vector<uint8_t> wanted(n * plan.stride, 0x5a);
  levels[0].encode(x, n, plan, scratch.data(), wanted.data());
  for (size_t level = 1; level < levels.size(); ++level) {
    uint8_t* got = to.ending(wanted.size());
    std::memset(got, 0xa5, wanted.size());
    levels[level].encode(x, n, plan, scratch.data(), got);
    tally.same(got, wanted.data(), wanted.size(),
               std::string(name(levels[level].level)) + " encode packing=" +
                   std::to_string(static_cast<int>(plan.packing)) + " step=" +
                   std::to_string(c.step_rule) + " flags=" + std::to_string(c.flags) + " d=" +
                   std::to_string(d) + " correct=" + std::to_string(c.correct) + " normalise=" +
                   std::to_string(c.normalise) + " rms=" + std::to_string(c.rms_factor));
  }
}

inline void check_encodes(const std::vector<Kernels>& levels, Tally& tally) {
  const Guarded in(7 * 4096 * 4), to(7 * (2 * 4096 + 12));
  std::vector<size_t> sizes;
  for (size_t d = 1; d <= 67; ++d) sizes.push_back(d);
  for (size_t d : {127, 128, 129, 257, 384, 385, 1023, 4096}) sizes.push_back(d);
  for (const Bounds& bound : bounds) {
    for (int choice = 0; choice < 3 * 8 * 2 * 2 * 2; ++choice) {
      const EncodeCase c{bound, choice % 3, choice / 3 % 8, choice / 24 % 2 != 0,
                         choice / 48 % 2 != 0, choice / 96 != 0 ? 0.4 : 0.0};
      if (c.rms_factor > 0 && c.step_rule != static_cast<int>(Step::row)) continue;
      if (bound.packing == Packing::f16 && c.flags % 4 != 0) continue;  // halves carry only nu
      for (const size_t d : sizes) check_encode(levels, c, d, in, to, tally);
    }
  }
}

}  // namespace check
