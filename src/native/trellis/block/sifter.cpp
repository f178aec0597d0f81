#include "sifter.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace fewbits::trellis {
namespace {

constexpr size_t first_rows = 24;
constexpr float huge = 1e15f;  // products with fit queries' numbers are finite

}  // namespace

const uint8_t* RowSource::rows(size_t position, size_t n) {
  const int64_t first = number(position);
  if (number(position + n - 1) - first == static_cast<int64_t>(n - 1)) {
    return codes_.data + static_cast<size_t>(first) * stride_;
  }
  copy_.resize(std::max(copy_.size(), n * stride_));
  for (size_t i = 0; i < n; ++i) {
    const size_t row = static_cast<size_t>(number(position + i));
    std::memcpy(copy_.data() + i * stride_, codes_.data + row * stride_, stride_);
  }
  return copy_.data();
}

Sifter::Sifter(const Scorer& scorer, const UnpackMap& map)
    : scorer_(scorer), map_(map), odd_(block_rows), pair_(block_rows * tile_lanes + 1),
      sum_(2 * block_rows * tile_lanes), score_(block_rows * tile_lanes) {
  std::fill(std::begin(tails_.list), std::end(tails_.list), 0u);
  values_.fill(block_rows * map.width(), 0);
  s_.fill(block_rows, 0);
  spread_.fill(block_rows, 0);
  b_.fill(block_rows, 0);
  x_.fill(block_rows, 0);
  block_.width = map.width();
  block_.u = values_.data();
  block_.s = s_.data();
  block_.spread = spread_.data();
  block_.b = b_.data();
  block_.x = x_.data();
  block_.list = tails_.list;
}

void Sifter::run(RowSource& source, size_t begin, size_t end, Flight& flight,
                 Keeper* const* keepers) {
  const BlockSteps& steps = *scorer_.kernels().trellis_block;
  for (size_t seat = 0; seat < flight.size(); ++seat) {
    flight.set_limit(seat, keepers[seat]->threshold());
  }
  // Until the keepers are full every pair passes: few of the first rows are looked at together.
  size_t step = flight.size() > 0 && !keepers[0]->full() ? first_rows : block_rows;
  for (size_t at = begin, n = 0; at < end; at += n, step = block_rows) {
    n = std::min(step, end - at);
    const uint8_t* rows = source.rows(at, n);
    load(rows, n, flight, keepers);
    for (size_t t = 0; t < flight.tiles(); ++t) {
      steps.sift(flight.tile(t), block_, passed_);
      settle(source, at, t, flight, keepers);
    }
    if (any_odd_ || !flight.all_fit()) score_rest(source, at, rows, flight, keepers);
  }
}

// Fills the block from n rows.
void Sifter::load(const uint8_t* rows, size_t n, Flight& flight, Keeper* const* keepers) {
  const BlockSteps& steps = *scorer_.kernels().trellis_block;
  steps.unpack(map_, rows, n, map_.code_size, block_.u, block_.width);
  steps.squares(map_, block_.u, n, block_.width, squares_);
  scorer_.tails(rows, n, tails_);
  block_.rows = n;
  float most_s = 0, most_b = 0;
  bound_scalars(n, most_s, most_b);
  const float odd = std::sqrt(static_cast<float>(map_.odd));
  for (size_t i = 0; i < block_rows; ++i) {
    const float length = 2 * std::sqrt(static_cast<float>(squares_[i])) + odd;
    spread_[i] = (length * 1.000001f) * s_[i];
  }
  if (!flight.widen(most_s, most_b)) return;
  for (size_t seat = 0; seat < flight.size(); ++seat) {
    flight.set_limit(seat, keepers[seat]->threshold());
  }
}

// s, b and x of the block; zeros for odd rows. Bits of floats: they compare as integers, and a NaN
// is larger than any number.
void Sifter::bound_scalars(size_t n, float& most_s, float& most_b) {
  constexpr uint32_t limit = std::bit_cast<uint32_t>(huge);
  const uint32_t one = scorer_.plan().set.metric == Metric::l2 ? ~0u : 0u;
  uint32_t all = 0;
  int32_t largest_s = 0, largest_b = 0;  // baseline code has no unsigned maxima
  for (size_t i = 0; i < block_rows; ++i) {
    const uint32_t s = std::bit_cast<uint32_t>(tails_.s[i]);
    const uint32_t b = std::bit_cast<uint32_t>(tails_.b[i]), size = b & 0x7fffffffu;
    const uint32_t inside = i < n ? ~0u : 0u;
    const uint32_t even = s < limit && size < limit ? inside : 0u;
    odd_[i] = ~even;
    all |= ~even & inside;
    s_[i] = std::bit_cast<float>(s & even);
    b_[i] = std::bit_cast<float>(b & even);
    const float along = std::bit_cast<float>(b & even & ~one);
    x_[i] = 1.0f + along;
    largest_s = std::max(largest_s, static_cast<int32_t>(s & even));
    largest_b = std::max(largest_b, static_cast<int32_t>(size & even));
  }
  any_odd_ = all != 0;
  most_s = std::bit_cast<float>(largest_s);
  most_b = std::bit_cast<float>(largest_b);
}

// Lists the pairs that passed, but those of odd rows; returns how many. Most rows have up to two:
// those are written in any case and counted after, which no branch needs to guess.
size_t Sifter::gather(size_t lanes) {
  const uint64_t used = lanes == tile_lanes ? ~uint64_t{0} : (uint64_t{1} << lanes) - 1;
  size_t count = 0;
  for (size_t row = 0; row < block_.rows; ++row) {
    const uint32_t first = static_cast<uint32_t>(row * tile_lanes);
    const auto write = [&](uint64_t left) {
      pair_[count] = first + static_cast<uint32_t>(std::countr_zero(left | uint64_t{1} << 63));
      count += left != 0;
      return left & (left - 1);
    };
    const uint64_t even = odd_[row] != 0 ? 0 : ~uint64_t{0};
    uint64_t left = write(write(passed_[row] & used & even));
    while (left != 0) left = write(left);
  }
  return count;
}

// Exact scores; keeps the pairs that reach their thresholds and returns how many.
size_t Sifter::finish(size_t t, size_t count, const Flight& flight, Keeper* const* keepers) {
  scorer_.kernels().trellis_block->pair_dot(block_, pair_.data(), count, flight.planes(t),
                                            sum_.data());
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t row = pair_[i] / tile_lanes, seat = t * tile_lanes + pair_[i] % tile_lanes;
    const Finish& to = flight.finish(seat);
    const uint32_t list = tails_.list[row];
    const float along = flight.by_list() ? to.all_t[list] : to.t;
    const float gamma = flight.by_list() ? to.all_gamma[list] : to.gamma;
    const float scaled = to.v(sum_.data() + 2 * i) * tails_.s[row];
    const float shifted = along * tails_.b[row];
    const float score = (scaled + shifted) + gamma;
    pair_[kept] = pair_[i];
    score_[kept] = score;
    kept += !(score < keepers[seat]->threshold());  // no branch: half of them fail
  }
  return kept;
}

// Takes the pairs of tile t that passed.
void Sifter::settle(const RowSource& source, size_t begin, size_t t, Flight& flight,
                    Keeper* const* keepers) {
  const size_t lanes = std::min(tile_lanes, flight.size() - t * tile_lanes);
  const size_t count = finish(t, gather(lanes), flight, keepers);
  for (size_t i = 0; i < count; ++i) {
    const size_t row = pair_[i] / tile_lanes, seat = t * tile_lanes + pair_[i] % tile_lanes;
    Keeper& keeper = *keepers[seat];
    if (!keeper.push(score_[i], source.number(begin + row))) continue;
    flight.set_limit(seat, keeper.threshold());
  }
}

// Rows without bounds for every query, and every other row for unfit queries.
void Sifter::score_rest(const RowSource& source, size_t begin, const uint8_t* rows, Flight& flight,
                        Keeper* const* keepers) {
  float scores[block_rows];
  for (size_t seat = 0; seat < flight.size(); ++seat) {
    scorer_.exact(rows, block_.rows, flight.query(seat), tails_, scores);
    for (size_t i = 0; i < block_.rows; ++i) {
      if (!odd_[i] && flight.fit(seat)) continue;
      keepers[seat]->push(scores[i], source.number(begin + i));
    }
    flight.set_limit(seat, keepers[seat]->threshold());
  }
}

}  // namespace fewbits::trellis
