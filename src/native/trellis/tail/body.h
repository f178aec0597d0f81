// body.h - one text for every level: compilers turn its loops into the level's instructions.
// Include inside an anonymous namespace after cmath, cstring and tail.h, and define
//   float half_value(uint16_t half)
//   void look_up(const float* table, const uint32_t* at, size_t n, float* to): to[i] = table[at[i]]

template <typename T>
inline T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// `value` in a general register: strided bytes come faster by plain loads than by gathers.
template <typename T>
inline T held(T value) {
  __asm__("" : "+r"(value));
  return value;
}

// to[i] = the T at byte `first` of row i.
template <typename T>
inline void read_column(const uint8_t* rows, size_t n, size_t stride, size_t first, T* to) {
  const size_t three = held(3 * stride), five = held(5 * stride), seven = held(7 * stride);
  const uint8_t* at = rows + first;
  size_t i = 0;
  for (; i + 8 <= n; i += 8, at += 8 * stride) {
    to[i] = held(load<T>(at));
    to[i + 1] = held(load<T>(at + stride));
    to[i + 2] = held(load<T>(at + 2 * stride));
    to[i + 3] = held(load<T>(at + three));
    to[i + 4] = held(load<T>(at + 4 * stride));
    to[i + 5] = held(load<T>(at + five));
    to[i + 6] = held(load<T>(at + 2 * three));
    to[i + 7] = held(load<T>(at + seven));
  }
  for (; i < n; ++i, at += stride) to[i] = held(load<T>(at));
}

inline void read_lists(const uint8_t* rows, size_t n, const TailForm& form, uint32_t* list) {
  alignas(64) uint16_t numbers[tail_rows];
  const size_t narrow = form.id_bytes == 1;  // then the byte before the number comes along
  read_column(rows, n, form.stride, form.id_at - narrow, numbers);
  for (size_t i = 0; i < n; ++i) {
    const uint32_t number = narrow ? numbers[i] >> 8 : numbers[i];
    list[i] = number < form.last_list ? number : form.last_list;
  }
}

// Rows end with (list number,) s, b in 4 bytes or fewer.
inline void read_bytes(const uint8_t* rows, size_t n, const TailForm& form, Tails& out) {
  alignas(64) uint32_t ends[tail_rows];
  if (form.stride < sizeof(uint32_t)) {  // 3
    for (size_t i = 0; i < n; ++i) {
      ends[i] = uint32_t{load<uint16_t>(rows + i * form.stride + form.s_at)} << 16;
    }
  } else {
    read_column(rows, n, form.stride, form.stride - sizeof(uint32_t), ends);
  }
  const uint32_t mask = form.id_bytes == 1 ? 255 : 65535, shift = form.id_bytes == 1 ? 8 : 0;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t number = ends[i] >> shift & mask;
    out.s[i] = static_cast<float>(static_cast<int32_t>(ends[i] >> 16 & 255)) * form.s_step +
               form.s_low;
    out.b[i] = static_cast<float>(static_cast<int32_t>(ends[i] >> 24)) * form.b_step + form.b_low;
    out.list[i] = number < form.last_list ? number : form.last_list;
  }
}

inline void read_halves(const uint8_t* rows, size_t n, const TailForm& form, Tails& out) {
  alignas(64) uint32_t pairs[tail_rows];
  read_column(rows, n, form.stride, form.s_at, pairs);
  for (size_t i = 0; i < n; ++i) {
    out.s[i] = half_value(static_cast<uint16_t>(pairs[i])) * form.s_step;
    out.b[i] = half_value(static_cast<uint16_t>(pairs[i] >> 16)) * form.b_step;
  }
}

inline void read_tails(const uint8_t* rows, size_t n, const TailForm& form, Tails& out) {
  if (form.scalar_bytes == 1) return read_bytes(rows, n, form, out);
  if (form.id_bytes > 0) read_lists(rows, n, form, out.list);
  if (form.scalar_bytes == 2) return read_halves(rows, n, form, out);
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* at = rows + i * form.stride + form.s_at;
    out.s[i] = load<float>(at);
    out.b[i] = load<float>(at + sizeof(float));
  }
}

template <bool one_list, bool same, bool bounds>
inline void score_rows(const Tails& tails, size_t n, const ScoreTerms& terms, float* values) {
  const float first_t = terms.t[0], first_gamma = terms.gamma[0];
  alignas(64) float gammas[tail_rows];
  if (!one_list) look_up(terms.gamma, tails.list, n, gammas);
  const float err[3] = {bounds ? terms.err[0] : 0, bounds ? terms.err[1] : 0,
                        bounds ? terms.err[2] : 0};
  for (size_t i = 0; i < n; ++i) {
    const float gamma = one_list ? first_gamma : gammas[i];
    const float t = same ? gamma : first_t;
    const float scaled = values[i] * tails.s[i];
    const float along = t * tails.b[i];
    float score = (scaled + along) + gamma;
    if (bounds) {
      score = score + ((std::fabs(tails.s[i]) * err[0] + std::fabs(tails.b[i]) * err[1]) + err[2]);
    }
    values[i] = score;
  }
}

template <bool bounds>
inline void score_kind(const Tails& tails, size_t n, const ScoreTerms& terms, float* values) {
  if (terms.one_list) return score_rows<true, false, bounds>(tails, n, terms, values);
  if (terms.t == terms.gamma) return score_rows<false, true, bounds>(tails, n, terms, values);
  score_rows<false, false, bounds>(tails, n, terms, values);
}

inline void score_tails(const Tails& tails, size_t n, const ScoreTerms& terms, float* values) {
  if (terms.err == nullptr) return score_kind<false>(tails, n, terms, values);
  score_kind<true>(tails, n, terms, values);
}
