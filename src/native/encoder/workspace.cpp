#include "workspace.h"

#include <algorithm>

namespace fewbits::encoder {

void Workspace::reserve(const Model& model, size_t tokens, size_t block, size_t longest,
                        size_t members) {
  const size_t hidden = model.hidden;
  code_stride = (hidden + 63) / 64 * 64;
  inner_stride = (model.inner + 63) / 64 * 64;
  x = x_.reserve(tokens * hidden);
  y = y_.reserve(tokens * hidden);
  qkv = qkv_.reserve(tokens * 3 * hidden);
  context = context_.reserve(tokens * hidden);
  inner = inner_.reserve(block * model.inner);
  codes = codes_.reserve(tokens * code_stride);
  inner_codes = inner_codes_.reserve(block * inner_stride);
  rows = rows_.reserve(tokens);
  inner_rows = inner_rows_.reserve(block);
  positions = positions_.reserve(tokens);
  zeros = zeros_.reserve(tokens);
  std::fill_n(zeros, tokens, 0);
  scratch_.resize(std::max(members, scratch_.size()));
  bias_.resize(scratch_.size());
  scratch.resize(members);
  bias.resize(members);
  const size_t distances = model.bias == nullptr ? 0 : model.heads * (2 * longest - 1);
  for (size_t m = 0; m < members; ++m) {
    scratch[m] = scratch_[m].reserve(attend_scratch(longest, hidden / model.heads));
    bias[m] = bias_[m].reserve(distances);
  }
}

std::unique_ptr<Workspace> Workspaces::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (waiting_.empty()) return std::make_unique<Workspace>();
  std::unique_ptr<Workspace> work = std::move(waiting_.back());
  waiting_.pop_back();
  return work;
}

void Workspaces::give(std::unique_ptr<Workspace> work) {
  const std::lock_guard<std::mutex> lock(mutex_);
  waiting_.push_back(std::move(work));
}

}  // namespace fewbits::encoder
