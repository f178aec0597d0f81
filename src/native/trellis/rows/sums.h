// sums.h - the part of body.h that weighs a code against its row. Included by body.h alone.

struct Sums {
  Lanes energy, inside, along, held, centroid;

  // One part of a group: s tells which. u = <v, r> / |r|, c = the code's value for it.
  void add(size_t s, dpart u, dpart c, dpart sigma, dpart mh) {
    const dpart su = sigma * u;
    energy.add(s, su * u);
    inside.add(s, u * u);
    along.add(s, su * c);
    held.add(s, (sigma * c) * c);
    centroid.add(s, mh * c);
  }
};

// value(j, s): the code's value of the columns from j + s * part on, j a multiple of 8.
template <typename Value>
inline void add_run(const Run& run, const Plan& plan, const Row& row, Sums& sums,
                    const Value& value) {
  const float* mh = plan.mh_of(row.list);
  for (size_t j = run.column; j < run.column + run.columns; j += 8) {
    for (size_t s = 0; s < parts; ++s) {
      const size_t at = j + s * part;
      const dpart u = wide(load_ints(row.z + at)) * (1.0 / (column_unit * row_unit));
      sums.add(s, u, value(j, s), wide(&plan.sigma[at]), wide(mh + at));
    }
  }
}

// levels[R - 1] by window bits as they lie in a row.
struct Values {
  alignas(64) double of[most_trellis_width][windows];
};
constexpr Values make_values() {
  Values out{};
  for (int r = 0; r < most_trellis_width; ++r) {
    for (int bits = 0; bits < windows; ++bits) out.of[r][bits] = levels[r][reversed6(bits)];
  }
  return out;
}
constexpr Values values = make_values();

// Twice the level is 2 U - 256. The byte before a group holds the rest of its first window.
template <int R>
inline void add_trellis(const Run& run, const Plan& plan, const Row& row, Sums& sums) {
  add_run(run, plan, row, sums, [&](size_t j, size_t s) {
    uint64_t word;
    __builtin_memcpy(&word, row.code + run.byte + (j - run.column) / 8 * R - 1, sizeof word);
    dpart level;
    for (size_t i = 0; i < part; ++i) {
      level[i] = values.of[R - 1][word >> ((s * part + i + 1) * R + 2) & 63];
    }
    return wide(&plan.step[j + s * part]) * (level + level);
  });
}

inline void add_numbers(const Run& run, const Plan& plan, const Row& row, Sums& sums) {
  const auto number = [&](size_t j, size_t s) { return load_ints(row.target + j + s * part); };
  const auto scaled = [&](size_t column, size_t s, ipart centred) {
    return wide(&plan.step[column + s * part]) * wide(centred);
  };
  switch (run.width) {
    case 6:
      return add_run(run, plan, row, sums, [&](size_t j, size_t s) {
        return scaled(j, s, 4 * number(j, s) - 126);
      });
    case 8:
      return add_run(run, plan, row, sums, [&](size_t j, size_t s) {
        return scaled(j, s, 2 * number(j, s) - 255);
      });
    default:
      return add_run(run, plan, row, sums, [&](size_t j, size_t s) {
        const ipart all = number(j, s);
        const dpart high = scaled(j, s, 2 * (all >> 4) - 255);
        return high + scaled(plan.set.m + j - run.column, s, 2 * (all & 15) - 15);
      });
  }
}

inline void add_run_of(const Run& run, const Plan& plan, const Row& row, Sums& sums) {
  switch (run.width) {
    case 1: return add_trellis<1>(run, plan, row, sums);
    case 2: return add_trellis<2>(run, plan, row, sums);
    case 3: return add_trellis<3>(run, plan, row, sums);
    case 4: return add_trellis<4>(run, plan, row, sums);
    default: return add_numbers(run, plan, row, sums);
  }
}

inline float finish(const Plan& plan, const Row& row, double extra) {
  Sums sums;
  for (const Run& run : plan.runs) add_run_of(run, plan, row, sums);
  const double outside = 1.0 - sums.inside.total();
  const double full =
      sums.energy.total() + plan.set.rest_weight * (outside > 0 ? outside : 0.0);
  const double along = sums.along.total(), most = full * sums.held.total();
  const double h = sums.centroid.total();
  const double s = along > 0 ? row.length * (full / along) : 0.0;
  const Settings& set = plan.set;
  const double stored =
      store_scalar(s, set.s_low, set.s_step, set.scalar_bytes, row.code + plan.s_at);
  const bool l2 = set.metric == Metric::l2;
  const double b = l2 ? row.squares + (2.0 * stored) * h
                      : (row.along - stored * h) * plan.inv2[row.list];
  store_scalar(b + extra, set.b_low, set.b_step, set.scalar_bytes, row.code + plan.b_at);
  for (size_t i = 0; i < set.id_bytes; ++i) {
    row.code[plan.id_at + i] = static_cast<uint8_t>(row.list >> 8 * i);
  }
  const double lost = most > 0 ? 1.0 - (along * along) / most : 0.0;
  return static_cast<float>(lost > 0 ? lost : 0.0);
}
