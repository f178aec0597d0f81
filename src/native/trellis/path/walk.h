// walk.h - all trellis columns of n rows, `together` rows at a time: what the vector levels share.
// Include inside an anonymous namespace after a level's add_run<R> and `together`.

inline void add_columns(const Run& run, const int32_t* y, size_t y_stride, uint32_t* choices,
                        uint16_t (*costs)[states]) {
  switch (run.width) {
    case 1: return add_run<1>(run, y, y_stride, choices, costs);
    case 2: return add_run<2>(run, y, y_stride, choices, costs);
    case 3: return add_run<3>(run, y, y_stride, choices, costs);
    case 4: return add_run<4>(run, y, y_stride, choices, costs);
    default: return;
  }
}

inline void walk(const Plan& plan, const int32_t* y, size_t y_stride, size_t n,
                 const PathScratch& scratch) {
  const Run* runs = plan.runs.data();
  const size_t count = plan.runs.size();
  for (size_t i = 0; i < n; i += together) {
    for (size_t r = i; r < i + together; ++r) {
      for (int s = 0; s < states; ++s) scratch.costs[r][s] = s == 0 ? 0 : unreachable;
    }
    for (size_t r = 0; r < count; ++r) {
      add_columns(runs[r], y + i * y_stride, y_stride, scratch.choices + i, scratch.costs + i);
    }
  }
}
