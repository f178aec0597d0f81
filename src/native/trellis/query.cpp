#include "query.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../table.h"

namespace fewbits::trellis {
namespace {

constexpr double second_levels = 254.0;  // the rest of a rounding lies within half a step of 127
constexpr double gain_unit = 1.0 / 16777216.0;
// Of sums of a few float32 terms, each rounded a few times, and of terms too small for that rule.
constexpr double float_slack = 1e-5, tiny_slack = 1e-37;

// Half to even for |v| < 2^51: adding 1.5 * 2^52 leaves no fraction bits.
double round_even(double v) {
  constexpr double magic = 6755399441055744.0;
  return (v + magic) - magic;
}

// The most that |2 U - off2| of each pseudo-column can be.
std::vector<int32_t> most_of(const Plan& plan) {
  std::vector<int32_t> most(plan.pseudo, 15);
  for (const Run& run : plan.runs) {
    const int32_t value = run.width >= 8 ? 255 : run.width == 6 ? 126 : 254;
    std::fill_n(most.begin() + static_cast<ptrdiff_t>(run.column), run.columns, value);
  }
  return most;
}

float above(double value) {
  const float near = static_cast<float>(value);
  return double{near} < value ? std::nextafter(near, std::numeric_limits<float>::infinity()) : near;
}

}  // namespace

struct Queries::Scratch {
  explicit Scratch(const Plan& plan)
      : wide(plan.set.d),
        g(plan.set.m),
        e(plan.pseudo),
        row(row16_size(plan.set.d)),
        products(std::max(project_size(plan.set.m), project_size(plan.set.lists))),
        most(most_of(plan)),
        project(kernels_of(active_level()).trellis_project) {}

  std::vector<double> wide, g, e;
  std::vector<int16_t> row;
  std::vector<int32_t> products, most;
  ProjectFn* project;
};

Queries::Queries(const Plan& plan, const float* q, size_t n) {
  plane_bytes_ = (plan.pseudo + 63) / 64 * 64;
  const size_t each = 4 * plane_bytes_;  // two planes in two orders
  storage_.assign(each * n + 64, 0);
  queries_.resize(n);
  lists_.resize(2 * n * plan.set.lists);
  uint8_t* at = storage_.data();
  at += (64 - reinterpret_cast<uintptr_t>(at) % 64) % 64;
  Scratch scratch(plan);
  for (size_t i = 0; i < n; ++i) add(plan, q + i * plan.set.d, i, scratch, at + i * each);
}

void Queries::add(const Plan& plan, const float* q, size_t i, Scratch& scratch, uint8_t* at) {
  const size_t d = plan.set.d;
  double* wide = scratch.wide.data();
  for (size_t j = 0; j < d; ++j) wide[j] = q[j];
  const auto square = [&](size_t j) { return wide[j] * wide[j]; };
  if (plan.set.metric == Metric::cosine) {
    const double squares = lane_sum(d, square);
    const double inverse = squares > 0 ? 1.0 / std::sqrt(squares) : 0.0;
    for (size_t j = 0; j < d; ++j) wide[j] = wide[j] * inverse;
  }
  const double squares = lane_sum(d, square);
  const double length = std::sqrt(squares);
  const double scale = length > 0 ? row_unit / length : 0.0;
  for (size_t j = 0; j < d; ++j) {
    scratch.row[j] = static_cast<int16_t>(static_cast<int32_t>(round_even(wide[j] * scale)));
  }
  Query& query = queries_[i];
  query.factor = plan.set.metric == Metric::l2 ? 2.0f : 1.0f;
  fill_lists(plan, squares, i, scratch);
  scratch.project(scratch.row.data(), 1, scratch.row.size(), plan.basis, scratch.products.data(),
                  scratch.products.size());
  const double unit = length * (1.0 / (column_unit * row_unit));
  for (size_t j = 0; j < plan.set.m; ++j) scratch.g[j] = double(scratch.products[j]) * unit;
  const double spread = lane_sum(plan.set.m, [&](size_t j) {
    const double part = scratch.g[j] * double{plan.sigma[j]};
    return part * part;
  });
  query.noise = (double{query.factor} * std::sqrt(spread)) * double{plan.set.residual_norm};
  fill_planes(plan, query, scratch, reinterpret_cast<int8_t*>(at));
}

void Queries::fill_lists(const Plan& plan, double squares, size_t i, Scratch& scratch) {
  const size_t lists = plan.set.lists;
  scratch.project(scratch.row.data(), 1, scratch.row.size(), plan.centroids16,
                  scratch.products.data(), scratch.products.size());
  const double length = std::sqrt(squares);
  const bool l2 = plan.set.metric == Metric::l2;
  float* t = lists_.data() + 2 * i * lists;
  float* gamma = t + lists;
  std::fill(t, gamma, -1.0f);
  double most_gamma = 0;
  for (size_t l = 0; l < lists; ++l) {
    const double base = (double(scratch.products[l]) * plan.length_scale[l]) * length;
    const double wanted = l2 ? -((squares - 2.0 * base) + plan.squares[l]) : base;
    gamma[l] = static_cast<float>(wanted);
    most_gamma = std::max(most_gamma, std::fabs(double{gamma[l]}));
  }
  Query& query = queries_[i];
  query.t = l2 ? t : gamma;
  query.gamma = gamma;
  query.err[1] = above(float_slack * (l2 ? 1.0 : most_gamma));
  query.err[2] = above(float_slack * most_gamma + tiny_slack);
}

void Queries::fill_planes(const Plan& plan, Query& query, Scratch& scratch, int8_t* at) {
  double* e = scratch.e.data();
  double largest = 0;
  for (size_t j = 0; j < plan.pseudo; ++j) {
    const size_t column = j < plan.set.m ? j : j - plan.m12;
    e[j] = scratch.g[column] * (double(plan.gain[j]) * gain_unit);
    largest = std::max(largest, std::fabs(e[j]));
  }
  const double unit = largest > 0 ? largest / 127.0 : 1.0;
  const double finer = second_levels / unit;
  const double half = (0.5 * double{query.factor}) * unit;
  const std::vector<uint32_t>& order = plan.program->order();
  PlaneView& view = query.view;
  double most[2];
  for (int p = 0; p < 2; ++p) {
    int8_t* plain = at + static_cast<size_t>(p) * plane_bytes_;
    int8_t* steps = at + static_cast<size_t>(p + 2) * plane_bytes_;
    int64_t base = 0, sum = 0, size = 0;
    for (size_t j = 0; j < plan.pseudo; ++j) {
      double level = round_even(e[j] / unit);
      if (p == 1) level = std::clamp(round_even((e[j] - unit * level) * finer), -127.0, 127.0);
      plain[j] = static_cast<int8_t>(static_cast<int32_t>(level));
      base += int64_t{plain[j]} * plan.off2[j];
      sum += plain[j];
      size += int64_t{std::abs(plain[j])} * scratch.most[j];
    }
    for (size_t j = 0; j < plan.pseudo; ++j) steps[j] = plain[order[j]];
    view.plain[p] = plain;
    view.steps[p] = steps;
    view.base2[p] = static_cast<int32_t>(base);
    view.sum[p] = static_cast<int32_t>(sum);
    const double weight = p == 0 ? half : half / second_levels;
    view.weight[p] = largest > 0 ? static_cast<float>(weight) : 0.0f;
    most[p] = double{view.weight[p]} * static_cast<double>(size);
  }
  query.err[0] = above(most[1] + float_slack * (most[0] + most[1]) + tiny_slack);
}

}  // namespace fewbits::trellis
