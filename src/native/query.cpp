#include <algorithm>
#include <cmath>
#include <cstring>

#include "scan.h"

namespace fewbits {
namespace {

constexpr double second_levels = 254.0;  // the rest of a rounding lies within half a step of 127

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// Sub-planes and the stride of dimensions between neighbours of one sub-plane.
size_t sub_planes(const Layout& layout) {
  if (layout.packing == Packing::u4) return 2;
  if (layout.packing == Packing::trit) return 5;
  return 1;
}

size_t sub_bytes(const Layout& layout) {
  const size_t subs = sub_planes(layout);
  const size_t per_sub =
      layout.packing == Packing::b1 ? round_up(layout.d, 8) : (layout.d + subs - 1) / subs;
  return round_up(per_sub, plane_align);
}

// Half to even for |v| < 2^51: adding 1.5 * 2^52 leaves no fraction bits.
double round_even(double v) {
  constexpr double magic = 6755399441055744.0;
  return (v + magic) - magic;
}

// Writes dimension j of a plane to where the packing's kernel reads it: see the dot_*.h.
class PlaneWriter {
 public:
  PlaneWriter(const Layout& layout, size_t sub, int8_t* plane)
      : bits_(layout.packing == Packing::b1), subs_(sub_planes(layout)), sub_(sub), plane_(plane) {}

  void operator()(size_t j, int8_t value) {
    if (bits_) {
      plane_[j / 8 * 8 + 7 - j % 8] = value;
    } else if (subs_ == 1) {
      plane_[j] = value;
    } else {
      plane_[j % subs_ * sub_ + j / subs_] = value;
    }
  }

 private:
  bool bits_;
  size_t subs_, sub_;
  int8_t* plane_;
};

struct Sums {
  int64_t base = 0;
  int64_t plane = 0;
};

template <typename Level>
Sums fill_plane(const Form& form, size_t sub, int8_t* plane, const Level& level) {
  Sums sums;
  PlaneWriter write(form.layout(), sub, plane);
  for (size_t j = 0; j < form.layout().d; ++j) {
    const int8_t value = static_cast<int8_t>(static_cast<int32_t>(level(j)));
    write(j, value);
    sums.base += int64_t{value} * form.zero()[j];
    sums.plane += value;
  }
  return sums;
}

// The planes of one query; returns <ones, rounded query>, what a per-row offset is multiplied by.
double fill_planes(const Form& form, const double* values, double factor, QueryView& view,
                   uint8_t* at) {
  const size_t d = form.layout().d;
  const size_t plane_bytes = view.sub * sub_planes(form.layout());
  double largest = 0;
  for (size_t j = 0; j < d; ++j) largest = std::max(largest, std::fabs(values[j]));
  const double unit = largest > 0 ? largest / 127.0 : 1.0;
  const double finer = second_levels / unit;
  double total = 0;
  for (int p = 0; p < view.planes; ++p) {
    int8_t* plane = reinterpret_cast<int8_t*>(at) + static_cast<size_t>(p) * plane_bytes;
    const auto first = [&](size_t j) { return round_even(values[j] / unit); };
    const auto second = [&](size_t j) {
      const double part = unit * first(j);
      return std::clamp(round_even((values[j] - part) * finer), -127.0, 127.0);
    };
    const Sums sums = p == 0 ? fill_plane(form, view.sub, plane, first)
                             : fill_plane(form, view.sub, plane, second);
    const double weight = factor * (p == 0 ? unit : unit / second_levels);
    view.plane[p] = plane;
    view.base[p] = static_cast<int32_t>(sums.base);
    view.weight[p] = largest > 0 ? static_cast<float>(weight) : 0.0f;
    total = total + static_cast<double>(sums.plane) * static_cast<double>(view.weight[p]);
  }
  return total;
}

void fill_bits(const Form& form, const double* wide, double factor, QueryView& view, uint8_t* at) {
  const size_t d = form.layout().d;
  for (size_t j = 0; j < d; ++j) {
    if (wide[j] > 0) at[j / 8] = static_cast<uint8_t>(at[j / 8] | (128u >> (j % 8)));
  }
  const bool fixed = form.settings().step_rule == Step::fixed;
  const double sum = lane_sum(d, [&](size_t j) {
    return std::fabs(fixed ? wide[j] * double{form.step()[j]} : wide[j]);
  });
  view.plane[0] = reinterpret_cast<const int8_t*>(at);
  view.weight[0] = static_cast<float>(factor * (sum / static_cast<double>(d)));
}

double gamma_of(const Form& form, const double* wide, double along) {
  const size_t d = form.layout().d;
  if (form.settings().metric != Metric::l2) return along;
  if (form.settings().correct) {
    return -lane_sum(d, [&](size_t j) {
      const double gap = wide[j] - double{form.mean()[j]};
      return gap * gap;
    });
  }
  return 2.0 * along - lane_sum(d, [&](size_t j) { return wide[j] * wide[j]; });
}

}  // namespace

PreparedQueries::PreparedQueries(const Form& form, const float* q, size_t n) {
  const Layout& layout = form.layout();
  const bool dense = layout.packing == Packing::f16;
  const size_t planes = layout.hamming ? 1 : static_cast<size_t>(form.settings().planes);
  const size_t each = dense ? round_up(layout.d * sizeof(float), plane_align)
                            : sub_bytes(layout) * sub_planes(layout) * planes;
  storage_.assign(each * n + plane_align, 0);
  views_.resize(n);
  t_.resize(n);
  gamma_.resize(n);
  uint8_t* at = storage_.data();
  at += (plane_align - reinterpret_cast<uintptr_t>(at) % plane_align) % plane_align;
  std::vector<double> scratch(2 * layout.d);
  for (size_t i = 0; i < n; ++i) add(form, q + i * layout.d, i, scratch.data(), at + i * each);
}

void PreparedQueries::add(const Form& form, const float* q, size_t i, double* wide, uint8_t* at) {
  const FormSettings& s = form.settings();
  for (size_t j = 0; j < s.d; ++j) wide[j] = q[j];
  if (s.metric == Metric::cosine) {
    const double squares = lane_sum(s.d, [&](size_t j) { return wide[j] * wide[j]; });
    const double inverse = squares > 0 ? 1.0 / std::sqrt(squares) : 0.0;
    for (size_t j = 0; j < s.d; ++j) wide[j] = wide[j] * inverse;
  }
  const double along = lane_sum(s.d, [&](size_t j) { return wide[j] * double{form.mean()[j]}; });
  const double factor = s.metric == Metric::l2 ? 2.0 : 1.0;
  const double squares = form.mean_squares();
  t_[i] = static_cast<float>(squares > 0 ? along / squares : 0.0);
  gamma_[i] = static_cast<float>(gamma_of(form, wide, along));
  QueryView& view = views_[i];
  view.gain = s.gain;
  if (s.packing == Packing::f16) {
    float* out = reinterpret_cast<float*>(at);
    for (size_t j = 0; j < s.d; ++j) out[j] = static_cast<float>(factor * wide[j]);
    view.dense = out;
    return;
  }
  view.sub = sub_bytes(form.layout());
  view.planes = s.hamming ? 1 : s.planes;
  if (s.hamming) return fill_bits(form, wide, factor, view, at);
  double* values = wide + s.d;
  for (size_t j = 0; j < s.d; ++j) {
    values[j] = s.step_rule == Step::fixed ? wide[j] * double{form.step()[j]} : wide[j];
  }
  const double total = fill_planes(form, values, factor, view, at);
  if (s.step_rule == Step::offset) t_[i] = static_cast<float>(total);
}

}  // namespace fewbits
