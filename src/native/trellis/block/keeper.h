// keeper.h - the k best of many hits, chosen in bulk: cheaper than a heap where k is large.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "../../topk.h"

namespace fewbits::trellis {

class Keeper {
 public:
  // Hits below `floor` never enter: where fewer than k are kept in the end, k may have been missed.
  explicit Keeper(size_t k, float floor = -std::numeric_limits<float>::infinity())
      : k_(k),
        limit_(k),
        threshold_(k > 0 ? floor : std::numeric_limits<float>::infinity()) {}

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
    high_ = std::max(high_, score);
    if (hits_.size() < limit_) return false;
    const float before = threshold_;
    shrink();
    // Choosing among many costs less per hit, an old threshold lets more of them in.
    limit_ = std::max(hits_.size(), k_) + (k_ < 64 ? 2 * k_ : k_ / 2) + 8;
    return threshold_ > before;
  }

  void merge(const Keeper& other) {
    for (const Hit& hit : other.hits_) push(hit.score, hit.row);
  }

  // Ends the choice: the hits, best first.
  std::vector<Hit> sorted() {
    if (hits_.size() > k_) shrink();
    sort();
    hits_.resize(size());
    return std::move(hits_);
  }

  // The k-th best score; -inf before there are k.
  float worst() {
    if (hits_.size() < k_ || k_ == 0) return -std::numeric_limits<float>::infinity();
    choose();
    return hits_.back().score;
  }

 private:
  static constexpr size_t buckets = 256;
  static constexpr size_t many = 16;  // from this k on, buckets choose faster than comparisons
  static constexpr size_t crowd = 48;  // hits that an insertion sort should not meet in one bucket

  struct Better {  // a type, so that the compiler sees through it
    bool operator()(const Hit& a, const Hit& b) const { return better(a, b); }
  };

  // Equal steps of score from the best (0) to the worst hit: a better hit is in no later bucket.
  struct Steps {
    float high, scale;
    size_t of(const Hit& hit) const { return static_cast<size_t>((high - hit.score) * scale); }
    // No more than the score of any hit up to this bucket.
    float bottom(size_t bucket) const {
      const double under = static_cast<double>(bucket + 1) / double{scale};
      return static_cast<float>(double{high} - under * (1 + 1e-6) - std::fabs(double{high}) * 1e-6);
    }
  };

  // Counts hits by bucket; false where scores do not allow steps.
  bool count(Steps& steps, std::array<uint32_t, buckets>& counts) const {
    float low = threshold_;
    if (low < -1e30f) {
      low = high_;
      for (const Hit& hit : hits_) low = std::min(low, hit.score);
    }
    const float span = high_ - low;
    if (!(span > 1e-30f && span < 1e30f)) return false;
    steps = {high_, static_cast<float>(buckets - 1) / span};
    counts.fill(0);
    for (const Hit& hit : hits_) ++counts[steps.of(hit)];
    return true;
  }

  // Exactly the k best, the worst of them at the end.
  void choose() {
    const auto last = hits_.begin() + static_cast<ptrdiff_t>(k_ - 1);
    std::nth_element(hits_.begin(), last, hits_.end(), Better());
    hits_.resize(k_);
    threshold_ = std::max(threshold_, hits_.back().score);
  }

  // Leaves the k best and perhaps a few more: whole buckets.
  void shrink() {
    Steps steps;
    std::array<uint32_t, buckets> counts;
    if (k_ < many || !count(steps, counts)) return choose();
    size_t last = 0, kept = counts[0];
    while (kept < k_) kept += counts[++last];
    if (kept > k_ + k_ / 4 + 8) return choose();
    size_t at = 0;
    for (const Hit hit : hits_) {
      hits_[at] = hit;
      at += steps.of(hit) <= last;
    }
    hits_.resize(at);
    threshold_ = std::max(threshold_, steps.bottom(last));
  }

  void sort() {
    Steps steps;
    std::array<uint32_t, buckets> counts;
    if (hits_.size() < 24 || !count(steps, counts) ||
        *std::max_element(counts.begin(), counts.end()) > crowd) {
      std::sort(hits_.begin(), hits_.end(), Better());
      return;
    }
    uint32_t before = 0;
    for (uint32_t& c : counts) before += std::exchange(c, before);
    std::vector<Hit> placed(hits_.size());
    for (const Hit& hit : hits_) placed[counts[steps.of(hit)]++] = hit;
    for (size_t i = 1; i < placed.size(); ++i) {
      const Hit hit = placed[i];
      size_t at = i;
      for (; at > 0 && better(hit, placed[at - 1]); --at) placed[at] = placed[at - 1];
      placed[at] = hit;
    }
    hits_ = std::move(placed);
  }

  size_t k_, limit_;
  float threshold_;
  float high_ = -std::numeric_limits<float>::infinity();  // best score
  std::vector<Hit> hits_;
};

}  // namespace fewbits::trellis
