// body.h - attention of one level. Include inside an anonymous namespace after room.h,
// tile.h and `Shape`: rows x blocks registers of sums at a time, and turn(), a transpose.
//
// One head at a time: its keys and values are copied to lie side by side. Tiles of queries walk
// over `room_keys` keys at a time and keep, per query, the largest score so far and, relative to
// it, the sum of the weights and the unfinished context.

static_assert(Shape::rows <= room_rows && room_step % width == 0);

constexpr size_t blocks_of(size_t count) { return (count + width - 1) / width; }

// Added to the last scores: load from room_step - n on for n scores that count.
constexpr float none = -__builtin_inff();
alignas(64) constexpr float lowest_after[2 * room_step] = {
    0,    0,    0,    0,    0,    0,    0,    0,     //
    0,    0,    0,    0,    0,    0,    0,    0,     //
    none, none, none, none, none, none, none, none,  //
    none, none, none, none, none, none, none, none};

// One head of one sequence.
struct Head {
  const Sequence& s;
  size_t size, padded, stride;  // head_size; in whole registers; floats between tokens
  const float* qkv;             // the query of token 0
  const float* bias;            // of the distance 1 - length, or null
  float* context;               // of token 0
  float *keys, *values;         // panels (size, width) of keys; rows (length, padded)
};

// Beyond the last key stand copies of it.
void pack_keys(const Head& h) {
  for (size_t u = 0; u < h.s.length; u += width) {
    const size_t left = h.s.length - u, last = left < width ? left - 1 : width - 1;
    const float* from = h.qkv + h.s.hidden + u * h.stride;
    float* to = h.keys + u * h.size;
    size_t d = 0;
    for (; d + width <= h.size; d += width) turn(from + d, h.stride, last, to + d * width);
    for (; d < h.size; ++d) {
      for (size_t k = 0; k < width; ++k) {
        to[d * width + k] = from[(k < last ? k : last) * h.stride + d];
      }
    }
  }
}

// to: `padded` floats, from[i] * scale and zeros.
inline void pack_row(const Head& h, const float* from, float scale, float* to) {
  const V by = Lanes::set(scale);
  size_t d = 0;
  for (; d + width <= h.size; d += width) {
    Lanes::store(to + d, Lanes::mul(Lanes::load(from + d), by));
  }
  if (d < h.size) Lanes::store(to + d, Lanes::mul(Lanes::load_some(from + d, h.size - d), by));
}

void pack_values(const Head& h) {
  const float* from = h.qkv + 2 * h.s.hidden;
  for (size_t u = 0; u < h.s.length; ++u) {
    pack_row(h, from + u * h.stride, 1, h.values + u * h.padded);
  }
}

// A tile of queries before a run of keys.
struct Tile {
  size_t query, key, keys;  // the first query; the first key, how many
  bool last;                // no keys remain
  float *queries, *context, *top, *total;  // of these queries: scaled; as far as known
  float* scores;            // (rows, room_scores)
};

template <size_t rows>
void score(const Head& h, const Tile& t) {
  const size_t all = blocks_of(t.keys);
  for (size_t block = 0; block < all;) {
    const size_t some = piece(all - block, Shape::blocks);
    float* to = t.scores + block * width;
    const float* panel = h.keys + (t.key + block * width) * h.size;
    with<Shape::blocks>(some, [&](auto blocks) {
      tile<rows, blocks>(t.queries, h.padded, panel, width, h.size * width, h.size,
                         [to](size_t r, size_t k, V sum) FEWBITS_HERE {
                           Lanes::store(to + r * room_scores + k * width, sum);
                         });
    });
    block += some;
  }
}

template <size_t rows>
void add_bias(const Head& h, const Tile& t) {
  for (size_t r = 0; r < rows; ++r) {
    const float* bias = h.bias + h.s.length - 1 - (t.query + r) + t.key;
    float* to = t.scores + r * room_scores;
    size_t u = 0;
    for (; u + width <= t.keys; u += width) {
      Lanes::store(to + u, Lanes::add(Lanes::load(to + u), Lanes::load(bias + u)));
    }
    if (u == t.keys) continue;
    Lanes::store(to + u, Lanes::add(Lanes::load(to + u), Lanes::load_some(bias + u, t.keys - u)));
  }
}

// From scores to weights exp(score - top); shrink[r]: by what the weights before these shrink.
template <size_t rows>
void soften(const Tile& t, float* shrink) {
  constexpr std::make_index_sequence<rows> every_row;
  float* const scores = t.scores;  // a store of a register might change t, for all GCC knows
  const size_t edge = (blocks_of(t.keys) - 1) * width;
  const V beyond = Lanes::load(lowest_after + room_step - (t.keys - edge));
  V top[rows], total[rows];
  each(every_row, [&](auto r) FEWBITS_HERE {
    float* at = scores + r * room_scores + edge;
    top[r] = Lanes::add(Lanes::load(at), beyond);
    Lanes::store(at, top[r]);
  });
  for (size_t u = 0; u < edge; u += width) {
    each(every_row, [&](auto r) FEWBITS_HERE {
      top[r] = Lanes::max(top[r], Lanes::load(scores + r * room_scores + u));
    });
  }
  each(every_row, [&](auto r) FEWBITS_HERE {
    float best = Lanes::top(top[r]);
    shrink[r] = 0;
    if (t.key != 0) {
      best = best > t.top[r] ? best : t.top[r];
      shrink[r] = Lanes::top(Lanes::exp(Lanes::set(t.top[r] - best)));
    }
    t.top[r] = best;
    top[r] = Lanes::set(best);
    total[r] = Lanes::zero();
  });
  for (size_t u = 0; u <= edge; u += width) {
    each(every_row, [&](auto r) FEWBITS_HERE {
      float* at = scores + r * room_scores + u;
      const V weight = Lanes::exp(Lanes::sub(Lanes::load(at), top[r]));
      Lanes::store(at, weight);
      total[r] = Lanes::add(total[r], weight);
    });
  }
  each(every_row, [&](auto r) FEWBITS_HERE {
    const float before = t.key == 0 ? 0 : t.total[r] * shrink[r];
    t.total[r] = before + Lanes::sum(total[r]);
  });
}

// Where the sums of weight * value go: to the caller once no keys remain, else to t.context.
struct Mixed {
  const Head& h;
  const Tile& t;
  const float *shrink, *inverse;
  size_t from;  // the first dimension

  inline FEWBITS_HERE void operator()(size_t r, size_t k, V sum) const {
    const size_t d = from + k * width;
    float* kept = t.context + r * h.padded + d;
    if (t.key != 0) sum = Lanes::fma(Lanes::load(kept), Lanes::set(shrink[r]), sum);
    if (!t.last) return Lanes::store(kept, sum);
    float* to = h.context + (t.query + r) * h.s.hidden + d;
    sum = Lanes::mul(sum, Lanes::set(inverse[r]));
    if (d + width <= h.size) return Lanes::store(to, sum);
    Lanes::store_some(to, sum, h.size - d);
  }
};

template <size_t rows>
void mix(const Head& h, const Tile& t, const float* shrink) {
  float inverse[rows];
  for (size_t r = 0; r < rows; ++r) inverse[r] = 1 / t.total[r];
  const size_t all = h.padded / width;
  for (size_t block = 0; block < all;) {
    const size_t some = piece(all - block, Shape::blocks);
    const float* from = h.values + t.key * h.padded + block * width;
    const Mixed finish = {h, t, shrink, inverse, block * width};
    with<Shape::blocks>(some, [&](auto blocks) {
      tile<rows, blocks>(t.scores, room_scores, from, h.padded, width, t.keys, finish);
    });
    block += some;
  }
}

template <size_t rows>
void step(const Head& h, const Tile& t) {
  float shrink[rows];
  score<rows>(h, t);
  if (h.bias != nullptr) add_bias<rows>(h, t);
  soften<rows>(t, shrink);
  mix<rows>(h, t, shrink);
}

// The queries first to last - 1, room_tiles tiles at most, over all the keys; room: what remains
// of the scratch.
void pass(const Head& h, size_t first, size_t last, float* room) {
  const size_t count = last - first;
  float* queries = room;
  float* context = queries + count * h.padded;
  float* scores = context + count * h.padded;
  float top[room_tiles * room_rows], total[room_tiles * room_rows];
  const float scale = 1 / __builtin_sqrtf(static_cast<float>(h.size));
  for (size_t i = 0; i < count; ++i) {
    pack_row(h, h.qkv + (first + i) * h.stride, scale, queries + i * h.padded);
  }
  for (size_t key = 0; key < h.s.length; key += room_keys) {
    const size_t left = h.s.length - key, keys = left < room_keys ? left : room_keys;
    for (size_t i = 0; i < count;) {
      const size_t some = piece(count - i, Shape::rows);
      const Tile t = {first + i,   key,     keys, keys == left, queries + i * h.padded,
                      context + i * h.padded, top + i, total + i,    scores};
      with<Shape::rows>(some, [&](auto rows) { step<rows>(h, t); });
      i += some;
    }
  }
}

void attend(const Sequence& s, size_t first, size_t last, float* context, float* scratch) {
  const size_t size = s.head_size, padded = blocks_of(size) * width;
  float* values = scratch + room_padded(s.length) * room_padded(size);
  float* room = values + room_padded(s.length) * room_padded(size);
  constexpr size_t most = room_tiles * Shape::rows;
  for (size_t head = first; head < last; ++head) {
    const float* bias = s.bias == nullptr ? nullptr : s.bias + head * (2 * s.length - 1);
    const Head h = {s,    size,    padded, 3 * s.hidden, s.qkv + head * size,
                    bias, context + head * size, scratch, values};
    pack_keys(h);
    pack_values(h);
    for (size_t query = 0; query < s.length; query += most) {
      const size_t left = s.length - query;
      pass(h, query, query + (left < most ? left : most), room);
    }
  }
}

#undef FEWBITS_HERE
