// tally.h - what the levels without masked loads and stores share about odd numbers of bytes.
// Include inside an anonymous namespace, after the level's Lanes.

// n bytes, then zeros up to a multiple of 4.
inline void store_bytes(uint8_t* to, const uint8_t* from, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] = from[i];
  for (size_t i = n; i < 4 * quads(n); ++i) to[i] = 0;
}

template <typename From>
inline Lanes::V load_copy(const char* p, size_t n) {
  char copy[Lanes::width * From::bytes] = {0};
  for (size_t i = 0; i < n * From::bytes; ++i) copy[i] = p[i];
  return From::load(copy);
}

// The codes at the ends. C: bytes of a register, equal(a, b) the number of equal bytes, set, min,
// max.
template <typename C>
struct TallyOf {
  uint64_t low = 0, high = 0;
  typename C::B least = C::set(255), most = C::set(0);

  inline __attribute__((always_inline)) void add(typename C::B codes) {
    low += C::equal(codes, C::set(0));
    high += C::equal(codes, C::set(255));
    least = C::min(least, codes);
    most = C::max(most, codes);
  }
  inline void add_some(typename C::B codes, size_t n) {
    uint8_t copy[C::bytes];
    C::store(copy, codes);
    for (size_t i = 0; i < n; ++i) {
      low += copy[i] == 0;
      high += copy[i] == 255;
      least = C::min(least, C::set(copy[i]));
      most = C::max(most, C::set(copy[i]));
    }
  }
  inline void to(Ends& ends) const {
    uint8_t down[C::bytes], up[C::bytes];
    C::store(down, least);
    C::store(up, most);
    for (size_t i = 0; i < C::bytes; ++i) {
      ends.least = down[i] < ends.least ? down[i] : ends.least;
      ends.most = up[i] > ends.most ? up[i] : ends.most;
    }
    ends.low += low;
    ends.high += high;
  }
};
