#include "query.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../table.h"

namespace fewbits::trellis {
namespace {

constexpr double second_levels = 254.0;  // as in ready/body.h
constexpr double gain_unit = 1.0 / 16777216.0;
// Of sums of a few float32 terms, each rounded a few times, and of terms too small for that rule.
constexpr double float_slack = 1e-5, tiny_slack = 1e-37;
constexpr size_t most_together = 96;    // queries that are projected together
constexpr size_t most_products = 1 << 16;

// The most that |2 U - off2| of each pseudo-column can be.
std::vector<int16_t> most_of(const Plan& plan) {
  std::vector<int16_t> most(plan.pseudo, 15);
  for (const Run& run : plan.runs) {
    const int16_t value = run.width >= 8 ? 255 : run.width == 6 ? 126 : 254;
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
      : stride(project_size(std::max(plan.set.m, plan.set.lists))),
        together(std::clamp(most_products / stride, size_t{1}, most_together)),
        row_size(row16_size(plan.set.d)),
        wide((plan.set.d + 7) / 8 * 8),
        g(plan.set.m),
        e(plan.pseudo),
        scale(plan.pseudo),
        rows(together * row_size),
        levels(2 * plan.pseudo),
        most(most_of(plan)),
        products(together * stride),
        squares(together),
        kernels(kernels_of(active_level())) {
    for (size_t j = 0; j < plan.pseudo; ++j) scale[j] = double(plan.gain[j]) * gain_unit;
  }

  const size_t stride, together, row_size;
  std::vector<double> wide, g, e, scale;
  std::vector<int16_t> rows, levels, most;
  std::vector<int32_t> products;
  std::vector<double> squares;
  const Kernels kernels;
};

Queries::Queries(const Plan& plan, const float* q, size_t n) {
  plane_bytes_ = (plan.pseudo + 63) / 64 * 64;
  storage_ = std::make_unique_for_overwrite<uint8_t[]>(4 * plane_bytes_ * n + 64);
  const size_t over = reinterpret_cast<uintptr_t>(storage_.get()) % 64;
  planes_ = reinterpret_cast<int8_t*>(storage_.get() + (64 - over) % 64);
  queries_.resize(n);
  lists_.resize(2 * n * plan.set.lists);
  Scratch scratch(plan);
  for (size_t i = 0; i < n; i += scratch.together) {
    add(plan, q + i * plan.set.d, i, std::min(scratch.together, n - i), scratch);
  }
}

// Queries [first, first + n); q: the first one.
void Queries::add(const Plan& plan, const float* q, size_t first, size_t n, Scratch& scratch) {
  const bool cosine = plan.set.metric == Metric::cosine;
  for (size_t i = 0; i < n; ++i) {
    scratch.squares[i] = scratch.kernels.trellis_ready->start(
        q + i * plan.set.d, plan.set.d, cosine, scratch.wide.data(),
        scratch.rows.data() + i * scratch.row_size);
  }
  const auto project = [&](const Packed& columns) {
    scratch.kernels.trellis_project(scratch.rows.data(), n, scratch.row_size, columns,
                                    scratch.products.data(), scratch.stride);
  };
  project(plan.centroids16);
  for (size_t i = 0; i < n; ++i) {
    const int32_t* products = scratch.products.data() + i * scratch.stride;
    fill_lists(plan, products, scratch.squares[i], first + i);
  }
  project(plan.basis);
  for (size_t i = 0; i < n; ++i) {
    const int32_t* products = scratch.products.data() + i * scratch.stride;
    fill_planes(plan, products, std::sqrt(scratch.squares[i]), first + i, scratch);
  }
}

void Queries::fill_lists(const Plan& plan, const int32_t* products, double squares, size_t i) {
  const size_t lists = plan.set.lists;
  const double length = std::sqrt(squares);
  const bool l2 = plan.set.metric == Metric::l2;
  float* t = lists_.data() + 2 * i * lists;
  float* gamma = t + lists;
  std::fill(t, gamma, -1.0f);
  double most_gamma = 0;
  for (size_t l = 0; l < lists; ++l) {
    const double base = (double(products[l]) * plan.length_scale[l]) * length;
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

void Queries::fill_planes(const Plan& plan, const int32_t* products, double length, size_t i,
                          Scratch& scratch) {
  const PlaneRules rules = {&plan, scratch.scale.data(), scratch.most.data()};
  int16_t* level = scratch.levels.data();
  const PlaneRoom room = {scratch.g.data(), scratch.e.data(), {level, level + plan.pseudo}};
  int8_t* at = planes_ + 4 * plane_bytes_ * i;  // two planes in two orders
  int8_t* const plain[2] = {at, at + plane_bytes_};
  PlaneSums sums;
  scratch.kernels.trellis_ready->planes(rules, products, length * (1.0 / (column_unit * row_unit)),
                                        room, plain, sums);
  Query& query = queries_[i];
  query.factor = plan.set.metric == Metric::l2 ? 2.0f : 1.0f;
  query.noise = (double{query.factor} * std::sqrt(sums.spread)) * double{plan.set.residual_norm};
  query.sizes = sums.sizes[0];
  query.squares = sums.squares[1];
  const double half = (0.5 * double{query.factor}) * sums.unit;
  const size_t columns = plan.pseudo;
  const uint32_t* order = plan.program->order().data();
  PlaneView& view = query.view;
  double most[2];
  for (int p = 0; p < 2; ++p) {
    int8_t* steps = at + static_cast<size_t>(p + 2) * plane_bytes_;
    int8_t* from = plain[p];
    for (size_t j = 0; j < columns; ++j) steps[j] = from[order[j]];
    std::fill(from + columns, from + plane_bytes_, int8_t{0});
    std::fill(steps + columns, steps + plane_bytes_, int8_t{0});
    view.plain[p] = from;
    view.steps[p] = steps;
    view.base2[p] = sums.base[p];
    view.sum[p] = sums.sum[p];
    const double weight = p == 0 ? half : half / second_levels;
    view.weight[p] = sums.largest > 0 ? static_cast<float>(weight) : 0.0f;
    most[p] = double{view.weight[p]} * static_cast<double>(sums.size[p]);
  }
  query.err[0] = above(most[1] + float_slack * (most[0] + most[1]) + tiny_slack);
}

}  // namespace fewbits::trellis
