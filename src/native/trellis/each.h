// each.h - loops that are written out. Include inside an anonymous namespace after <utility>.

// f(0), f(1), ...: an array of registers that a loop walks would live in memory.
template <typename F, size_t... i>
inline void each(std::index_sequence<i...>, const F& f) {
  (f(i), ...);
}
