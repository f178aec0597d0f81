#include "form.h"

namespace fewbits {
namespace {

std::vector<float> pad(const float* values, size_t d, float fill) {
  std::vector<float> out(padded(d), fill);
  for (size_t j = 0; j < d; ++j) out[j] = values[j];
  return out;
}

}  // namespace

size_t payload_size(Packing packing, size_t d) {
  switch (packing) {
    case Packing::i8: return d;
    case Packing::u4: return (d + 1) / 2;
    case Packing::trit: return (d + 4) / 5;
    case Packing::b1: return (d + 7) / 8;
    case Packing::f16: return 2 * d;
  }
  return 0;
}

Form::Form(const FormSettings& s, const float* mean, const float* step, const float* zero)
    : settings_(s),
      mean_(pad(mean, s.d, 0)),
      step_(pad(step, s.d, 1)),
      zero_(pad(zero, s.d, 0)),
      zero_int_(s.d, 0) {
  layout_.packing = s.packing;
  layout_.hamming = s.hamming;
  layout_.d = s.d;
  layout_.gain = s.gain;
  layout_.factors = {payload_size(s.packing, s.d), s.alpha, s.beta, s.nu};
  layout_.stride =
      layout_.factors.offset + 4 * (size_t{s.alpha} + size_t{s.beta} + size_t{s.nu});
  plan_.packing = s.packing;
  plan_.step_rule = s.step_rule;
  plan_.d = s.d;
  plan_.stride = layout_.stride;
  plan_.normalise = s.metric == Metric::cosine;
  plan_.sign = s.packing == Packing::b1;
  plan_.correct = s.correct;
  plan_.factors = layout_.factors;
  plan_.low = s.low;
  plan_.high = s.high;
  plan_.high_c = s.high_c;
  plan_.rms_factor = s.rms_factor;
  plan_.mean = mean_.data();
  plan_.step = step_.data();
  plan_.zero = zero_.data();
  if (s.step_rule != Step::offset) {
    for (size_t j = 0; j < s.d; ++j) zero_int_[j] = static_cast<int32_t>(zero[j]);
  }
  mean_squares_ = lane_sum(s.d, [&](size_t j) { return double{mean[j]} * double{mean[j]}; });
}

}  // namespace fewbits
