#include "flight.h"

#include <cmath>
#include <cstring>

namespace fewbits::trellis {
namespace {

constexpr double rounding = 0x1p-19;  // more than what a handful of float32 operations lose
constexpr double huge = 1e15;         // products of two such numbers are finite float32 numbers
constexpr double tiny = 1e-30;
constexpr double most_units = 1e20;   // times `huge` it still is a finite float32 number

double largest(const float* values, size_t count) {
  double most = 0;
  for (size_t l = 0; l < count; ++l) most = std::max(most, std::fabs(double{values[l]}));
  return most;
}

}  // namespace

std::vector<Gauge> gauges_of(const Queries& queries) {
  std::vector<Gauge> out(queries.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const Query& q = queries[i];
    const double weight = double{q.view.weight[0]}, added = double{q.err[0]};
    const double value = 255 * weight * q.sizes + added;
    const bool bounded = value < huge && double{q.err[1]} < huge && double{q.err[2]} < huge;
    if (!(weight > tiny && bounded && added / (2 * weight) < 1e8)) continue;
    out[i].inverse = 1 / (2 * weight);
    out[i].value = value;
    out[i].start = static_cast<int32_t>(std::ceil(-0.5 * q.view.base2[0]));
    const double reach = double{q.view.weight[1]} * std::sqrt(q.squares) * out[i].inverse;
    out[i].reach = static_cast<float>(reach * 1.000001);
  }
  return out;
}

void Flight::board(const size_t* numbers, size_t count, size_t list) {
  numbers_.assign(numbers, numbers + count);
  lanes_ = (count + strip_lanes - 1) / strip_lanes * strip_lanes;
  seats_.assign(count, Seat());
  finishes_.assign(lanes_, Finish());
  planes_.assign(lanes_, Planes());
  by_list_ = list == any_list && plan_.set.lists > 1;
  plane_.room(lanes_ * plan_.pseudo);  // what an empty lane adds up cannot pass
  start_.fill(lanes_, 0);
  total_.fill(lanes_, 0);
  reach_.fill(lanes_, 0);
  bias_.fill(lanes_, 0);
  limit_.fill(lanes_, std::numeric_limits<float>::infinity());
  if (by_list_) gamma_.fill(lanes_ * plan_.set.lists, 0);
  all_fit_ = true;
  const size_t only = list == any_list ? 0 : list;
  for (size_t seat = 0; seat < count; ++seat) take_seat(seat, only);
}

// list: the only one, unless by_list_.
void Flight::take_seat(size_t seat, size_t list) {
  const Query& q = query(seat);
  const Gauge& gauge = gauges_[numbers_[seat]];
  planes_[seat] = {{q.view.plain[0], q.view.plain[1]}};
  const size_t lists = plan_.set.lists;
  const double t = by_list_ ? largest(q.t, lists) : std::fabs(double{q.t[list]});
  const double gamma = by_list_ ? largest(q.gamma, lists) : std::fabs(double{q.gamma[list]});
  const double most = std::max(std::max(t, gamma), double{std::max(q.err[1], q.err[2])});
  if (!(gauge.inverse > 0 && most < huge && most * gauge.inverse < most_units)) {
    all_fit_ = false;
    return;
  }
  Seat& at = seats_[seat];
  at.inverse = gauge.inverse;
  at.gamma = by_list_ ? 0 : double{q.gamma[list]};
  at.per_s = rounding * gauge.value;
  at.per_b = rounding * t + double{q.err[1]};
  at.fixed = rounding * gamma + double{q.err[2]};
  start_[seat] = gauge.start;
  reach_[seat] = gauge.reach;
  total_[seat] = q.view.sum[0];
  fill_plane(seat);
  Finish& finish = finishes_[seat];
  for (int p = 0; p < 2; ++p) {
    finish.base[p] = static_cast<uint32_t>(q.view.base2[p]);
    finish.weight[p] = q.view.weight[p];
  }
  finish.t = q.t[list];
  finish.gamma = q.gamma[list];
  finish.all_t = q.t;
  finish.all_gamma = q.gamma;
  // t and gamma are one number but for l2, where t is -1: sifted as gamma (1 + b) or gamma - b.
  const bool shared = by_list_ && plan_.set.metric != Metric::l2;
  bias_[seat] = shared ? 0.0f : static_cast<float>(double{q.t[list]} * at.inverse);
  for (size_t l = 0; by_list_ && l < lists; ++l) {
    gamma_[l * lanes_ + seat] = static_cast<float>(double{q.gamma[l]} * at.inverse);
  }
}

void Flight::fill_plane(size_t seat) {
  const int8_t* from = query(seat).view.plain[0];
  int8_t* to = plane_.data() + seat / strip_lanes * plan_.pseudo * strip_lanes +
               seat % strip_lanes * 4;
  for (size_t j = 0; j < plan_.pseudo; j += 4) std::memcpy(to + j * strip_lanes, from + j, 4);
}

Tile Flight::tile(size_t t) const {
  const size_t first = t * tile_lanes;
  Tile tile;
  tile.strips = std::min(most_strips, (lanes_ - first) / strip_lanes);
  tile.dwords = plan_.pseudo / 4;
  tile.plane = plane_.data() + first * plan_.pseudo;
  tile.start = start_.data() + first;
  tile.total = total_.data() + first;
  tile.reach = reach_.data() + first;
  tile.bias = bias_.data() + first;
  tile.limit = limit_.data() + first;
  tile.gamma = by_list_ ? gamma_.data() + first : nullptr;
  tile.pitch = lanes_;
  return tile;
}

bool Flight::widen(float s, float b) {
  const bool grows = double{s} > most_s_ || double{b} > most_b_;
  most_s_ = std::max(most_s_, double{s});
  most_b_ = std::max(most_b_, double{b});
  return grows;
}

void Flight::set_limit(size_t seat, float threshold) {
  const Seat& at = seats_[seat];
  if (!(at.inverse > 0)) return;
  const double score = double{threshold};
  const double slack = at.per_s * most_s_ + at.per_b * most_b_ + at.fixed +
                       rounding * std::fabs(score);
  const double limit = ((score - at.gamma) - slack) * at.inverse;
  limit_[seat] = std::isinf(score) ? threshold : static_cast<float>(limit);
}

}  // namespace fewbits::trellis
