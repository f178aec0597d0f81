// encoder_attend.h - attention of a level against the scalar one, within rounding.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "encoder/attend/attend.h"
#include "guarded.h"

namespace check {

namespace encoder = fewbits::encoder;

struct AttendCase {
  size_t length, heads, head_size;
  bool bias;
  float size;  // of the largest query and key elements
};

inline std::vector<AttendCase> attend_cases() {
  std::vector<AttendCase> cases;
  for (const size_t head_size : {1, 5, 16, 31, 32, 48, 64, 80, 100}) {
    for (const size_t length : {1, 2, 3, 7, 9, 15, 16, 17, 31, 33, 50, 64, 65, 71, 130}) {
      cases.push_back({length, 3, head_size, length % 2 == 0, 1});
    }
  }
  for (const size_t length : {511, 512, 513, 529, 1030}) {  // scores of 512 keys at a time
    cases.push_back({length, 2, 32, length != 512, 2});
  }
  cases.push_back({40, 2, 32, true, 0});   // equal scores but for the bias
  cases.push_back({40, 2, 64, false, 0});  // equal scores
  cases.push_back({600, 1, 64, false, 60});  // scores of +-1e4
  cases.push_back({77, 2, 32, true, 60});
  return cases;
}

// What two levels may differ by: the rounding of sums, and that of the scores under the exp.
inline double attend_tolerance(const AttendCase& c, const encoder::Sequence& s) {
  double highest = 0, score = 0;
  for (size_t t = 0; t < c.length; ++t) {
    const float* row = s.qkv + t * 3 * s.hidden;
    for (size_t i = 0; i < s.hidden; ++i) {
      highest = std::max(highest, std::fabs(double(row[2 * s.hidden + i])));
    }
  }
  score = double(c.size) * c.size * std::sqrt(double(c.head_size));
  return highest * (1e-5 + score * 0x1p-23);
}

inline bool attend_near(const AttendCase& c, const encoder::Sequence& s, size_t first, size_t last,
                        const float* got, const float* wanted) {
  const double allowed = attend_tolerance(c, s);
  for (size_t i = 0; i < c.length * s.hidden; ++i) {
    const size_t head = i % s.hidden / c.head_size;
    const bool written = head >= first && head < last;
    const double error = std::fabs(double(got[i]) - double(wanted[i]));
    if (written ? !(error <= allowed) : got[i] != 7) return false;
  }
  return true;
}

inline void check_attend_case(const AttendCase& c, encoder::AttendFn* under_test, Tally& tally,
                              const char* name) {
  const size_t hidden = c.heads * c.head_size, distances = 2 * c.length - 1;
  const size_t row = 3 * hidden * sizeof(float), room = c.length * hidden * sizeof(float);
  const size_t scratch_bytes = encoder::attend_scratch(c.length, c.head_size) * sizeof(float);
  const Guarded in(c.length * row), beside(c.heads * distances * sizeof(float));
  const Guarded out(room), again(room), scratch(scratch_bytes + 64);
  float* qkv = reinterpret_cast<float*>(in.ending(c.length * row));
  float* bias = reinterpret_cast<float*>(beside.ending(c.heads * distances * sizeof(float)));
  float* got = reinterpret_cast<float*>(out.ending(room));
  float* part = reinterpret_cast<float*>(again.ending(room));
  float* space = reinterpret_cast<float*>(scratch.ending((scratch_bytes + 63) / 64 * 64));
  Random random(c.length * 131 + c.head_size);
  for (size_t i = 0; i < c.length * 3 * hidden; ++i) {
    qkv[i] = random.signed_unit() * (i % (3 * hidden) < 2 * hidden ? c.size : 3.0f);
  }
  for (size_t i = 0; i < c.heads * distances; ++i) bias[i] = random.signed_unit() * 4;
  const encoder::Sequence s = {qkv, c.length, hidden, c.head_size, c.bias ? bias : nullptr};
  std::vector<float> wanted(c.length * hidden);
  std::fill_n(got, c.length * hidden, 7.0f);
  std::fill_n(part, c.length * hidden, 7.0f);
  encoder::attend_scalar(s, 0, c.heads, wanted.data(), space);
  std::memset(space, 0xff, scratch_bytes);  // not a number: nothing may be read before it is written
  under_test(s, 0, c.heads, got, space);
  under_test(s, c.heads / 2, c.heads, part, space);
  const bool near = attend_near(c, s, 0, c.heads, got, wanted.data()) &&
                    attend_near(c, s, c.heads / 2, c.heads, part, wanted.data());
  (near ? tally.passed : tally.failed)++;
  if (!near) {
    std::printf("attend %s: length %zu, head size %zu, bias %d, size %g\n", name, c.length,
                c.head_size, c.bias, double(c.size));
  }
}

// `under_test`: a kernel that this machine can run.
inline bool check_attend(encoder::AttendFn* under_test, Tally& tally, const char* name) {
  const long before = tally.failed;
  for (const AttendCase& c : attend_cases()) check_attend_case(c, under_test, tally, name);
  return tally.failed == before;
}

}  // namespace check
