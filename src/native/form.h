// form.h - what a quantizer's code rows mean, with everything that encoding and queries need.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "encode/encode.h"

namespace fewbits {

enum class Metric : int { cosine = 0, ip = 1, l2 = 2 };

// How code rows are laid out: `payload` bytes of codes, then the factors.
struct Layout {
  Packing packing = Packing::i8;
  bool hamming = false;  // b1 only: the query is packed bits, too
  size_t d = 0;
  size_t stride = 0;
  int32_t gain = 1;
  Factors factors;
};

// The settings of a form; see fewbits/vectors/form.py for their meaning.
struct FormSettings {
  Packing packing = Packing::i8;
  Metric metric = Metric::cosine;
  Step step_rule = Step::fixed;
  size_t d = 0;
  int32_t gain = 1;
  int planes = 2;
  bool correct = false;
  bool hamming = false;
  bool alpha = false;
  bool beta = false;
  bool nu = false;
  float low = 0;
  float high = 0;
  float high_c = 0;
  double rms_factor = 0;
};

size_t payload_size(Packing packing, size_t d);

class Form {
 public:
  // mean, step, zero: d floats each; zero holds integers.
  Form(const FormSettings& settings, const float* mean, const float* step, const float* zero);
  Form(const Form&) = delete;
  Form& operator=(const Form&) = delete;

  const FormSettings& settings() const { return settings_; }
  const Layout& layout() const { return layout_; }
  const EncodePlan& plan() const { return plan_; }
  const float* mean() const { return mean_.data(); }
  const float* step() const { return step_.data(); }
  const int32_t* zero() const { return zero_int_.data(); }
  double mean_squares() const { return mean_squares_; }

 private:
  FormSettings settings_;
  Layout layout_;
  EncodePlan plan_;
  std::vector<float> mean_, step_, zero_;  // padded to encode_pad
  std::vector<int32_t> zero_int_;          // shared by all rows: 0 under Step::offset
  double mean_squares_ = 0;
};

// Sum of n doubles in eight lanes (lane l takes elements l, 8 + l, ...), then 4, 2 and 1 apart:
// value(j) is called for j = 0 .. n - 1 in order.
template <typename Value>
double lane_sum(size_t n, const Value& value) {
  double lanes[8] = {0};
  for (size_t j = 0; j < n; ++j) lanes[j % 8] = lanes[j % 8] + value(j);
  const double a = lanes[0] + lanes[4], b = lanes[1] + lanes[5];
  const double c = lanes[2] + lanes[6], d = lanes[3] + lanes[7];
  const double even = a + c, odd = b + d;
  return even + odd;
}

}  // namespace fewbits
