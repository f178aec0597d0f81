// keeper.h - the k best of many hits, chosen in bulk: cheaper than a heap where k is large.
#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "../../topk.h"

namespace fewbits::trellis {

class Keeper {
 public:
  // Hits below `floor` never enter: where fewer than k are kept in the end, k may have been missed.
  explicit Keeper(size_t k, float floor = -std::numeric_limits<float>::infinity())
      : k_(k), threshold_(k > 0 ? floor : std::numeric_limits<float>::infinity()) {}

  // A row scoring below this cannot enter. Equal scores may (a lower row wins the tie).
  float threshold() const { return threshold_; }
  size_t size() const { return std::min(k_, hits_.size()); }
  size_t capacity() const { return k_; }
  bool full() const { return hits_.size() >= k_; }

  // True where the threshold has risen.
  // Codes that no encoder wrote may score NaN: last, but still counted as a row.
  bool push(float score, int64_t row) {
    if (score != score) score = -std::numeric_limits<float>::infinity();
    if (score < threshold_ || k_ == 0) return false;
    hits_.push_back({score, row});
    // Choosing among many costs less per hit, an old threshold lets more of them in.
    if (hits_.size() < (full_ ? 3 * k_ + 8 : k_)) return false;
    const float before = threshold_;
    shrink();
    return threshold_ > before;
  }

  void merge(const Keeper& other) {
    for (const Hit& hit : other.hits_) push(hit.score, hit.row);
  }

  std::vector<Hit> sorted() {
    if (hits_.size() > k_) shrink();
    std::sort(hits_.begin(), hits_.end(), Better());
    return hits_;
  }

  // The k-th best score; -inf before there are k.
  float worst() {
    if (hits_.size() > k_) shrink();
    return full_ ? threshold_ : -std::numeric_limits<float>::infinity();
  }

 private:
  void shrink() {
    const auto last = hits_.begin() + static_cast<ptrdiff_t>(k_ - 1);
    std::nth_element(hits_.begin(), last, hits_.end(), Better());
    hits_.resize(k_);
    full_ = true;
    threshold_ = hits_.back().score;
  }

  struct Better {  // a type, so that the compiler sees through it
    bool operator()(const Hit& a, const Hit& b) const { return better(a, b); }
  };

  size_t k_;
  float threshold_;
  bool full_ = false;
  std::vector<Hit> hits_;
};

}  // namespace fewbits::trellis
