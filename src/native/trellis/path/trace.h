// trace.h - from choices to code bytes, one row per lane; compiled once per level.
// Include inside an anonymous namespace after path.h.

#if defined(__AVX512F__)
constexpr size_t trace_lanes = 16;
#elif defined(__AVX2__)
constexpr size_t trace_lanes = 8;
#else
constexpr size_t trace_lanes = 4;
#endif
typedef uint32_t uvec __attribute__((vector_size(4 * trace_lanes)));

inline uvec choices_at(const uint32_t* at) {
  uvec out;
  __builtin_memcpy(&out, at, sizeof out);
  return out;
}

// The state before the column whose choices start at `at`; `state` is the one after it.
template <int R>
inline uvec step_back(const uint32_t* at, uvec state, uvec& symbol) {
  const uvec window = state | (choices_at(at) >> state & 1u) << 5;
  symbol = window & ((1u << R) - 1);
  uvec from = window >> R;
  for (int fold = R - 1; fold >= 1; --fold) {
    const uvec chosen = choices_at(at + static_cast<size_t>(fold) * path_rows) >> from & 1u;
    from = from | chosen << (5 - fold);
  }
  return from;
}

inline uvec reversed32(uvec v) {
  v = (v >> 1 & 0x55555555u) | (v & 0x55555555u) << 1;
  v = (v >> 2 & 0x33333333u) | (v & 0x33333333u) << 2;
  v = (v >> 4 & 0x0f0f0f0fu) | (v & 0x0f0f0f0fu) << 4;
  v = (v >> 8 & 0x00ff00ffu) | (v & 0x00ff00ffu) << 8;
  return v >> 16 | v << 16;
}

// A group's 8 columns are R bytes.
template <int R>
inline uvec trace_run(const Run& run, const uint32_t* choices, uvec state, size_t n, size_t stride,
                      uint8_t* codes) {
  for (size_t group = run.columns / group_columns; group-- > 0;) {
    const size_t byte = run.byte + group * R;
    const uint32_t* at = choices + 8 * byte * path_rows;
    uvec word = {};
    for (int c = 7; c >= 0; --c) {
      uvec symbol;
      state = step_back<R>(at + static_cast<size_t>(c * R) * path_rows, state, symbol);
      word |= symbol << (7 - c) * R;
    }
    const uvec bytes = reversed32(word) >> (32 - 8 * R);
    uint32_t out[trace_lanes];
    __builtin_memcpy(out, &bytes, sizeof out);
    for (size_t i = 0; i < n; ++i) __builtin_memcpy(codes + i * stride + byte, out + i, R);
  }
  return state;
}

inline uint32_t first_smallest(const uint16_t* costs) {
  uint32_t best = 0;
  for (uint32_t s = 1; s < states; ++s) best = costs[s] < costs[best] ? s : best;
  return best;
}

// n <= trace_lanes rows, the first of them at row 0 of `choices` and `costs`.
inline void trace_lane_rows(const Plan& plan, const uint32_t* choices,
                            const uint16_t (*costs)[states], size_t n, uint8_t* codes,
                            size_t stride) {
  uint32_t ends[trace_lanes];
  for (size_t i = 0; i < trace_lanes; ++i) ends[i] = first_smallest(costs[i]);
  uvec state = choices_at(ends);
  for (size_t r = plan.runs.size(); r-- > 0;) {
    const Run& run = plan.runs[r];
    const auto back = [&](auto trace) {
      state = trace(run, choices, state, n, stride, codes);
    };
    switch (run.width) {
      case 1: back(trace_run<1>); break;
      case 2: back(trace_run<2>); break;
      case 3: back(trace_run<3>); break;
      case 4: back(trace_run<4>); break;
      default: break;
    }
  }
}

inline void trace(const Plan& plan, const PathScratch& scratch, size_t n, uint8_t* codes,
                  size_t stride) {
  for (size_t i = 0; i < n; i += trace_lanes) {
    const size_t left = n - i < trace_lanes ? n - i : trace_lanes;
    trace_lane_rows(plan, scratch.choices + i, scratch.costs + i, left,
                    codes + i * stride, stride);
  }
}
