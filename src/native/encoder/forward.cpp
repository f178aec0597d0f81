#include "forward.h"

#include <mutex>

#include "../threads.h"
#include "pool.h"

namespace fewbits::encoder {
namespace {

struct Part {
  Piece piece;
  float* out;
};

// More threads than this only wait for each other.
size_t most_threads() { return std::max<size_t>(8, std::thread::hardware_concurrency()); }

// Whether the work is so much that threads which meet some ten times per layer gain by it. On a
// busy machine one meeting can cost a time slice, as much as a short text takes alone.
bool worth_a_team(const Model& model, const Batch& batch) {
  constexpr size_t least_tokens = 16;  // below, a layer takes as long as its weights take to read
  constexpr size_t products = size_t{400} << 20;  // about 2 ms of 8-bit codes on one thread
  size_t tokens = 0;
  for (size_t s = 0; s < batch.sequences; ++s) tokens += static_cast<size_t>(batch.lengths[s]);
  const size_t weights = model.hidden * (4 * model.hidden + 2 * model.inner);
  return std::max(tokens, least_tokens) * weights * model.layers.size() >= products;
}

// Tokens of a piece: what keeps a thread's arrays inside 1.25 MiB of its L2 cache.
size_t piece_tokens(const Model& model) {
  const size_t fits = (size_t{1280} << 10) / (25 * model.hidden);
  return std::min<size_t>(256, std::max<size_t>(64, fits));
}

std::vector<Part> parts_of(const Model& model, const Batch& batch, float* out) {
  const size_t budget = piece_tokens(model);
  std::vector<Part> parts;
  const int32_t* ids = batch.ids;
  for (size_t s = 0; s < batch.sequences; ++s) {
    const auto length = static_cast<size_t>(batch.lengths[s]);
    if (parts.empty() || parts.back().piece.tokens + length > budget) {
      parts.push_back({{ids, batch.lengths + s, 0, 0, 1}, out + s * model.width()});
    }
    Piece& piece = parts.back().piece;
    piece.sequences += 1;
    piece.tokens += length;
    piece.longest = std::max(piece.longest, length);
    ids += length;
  }
  return parts;
}

void pool_piece(const Model& model, const Batch& batch, const Part& part, const float* rows) {
  float* out = part.out;
  for (size_t s = 0; s < part.piece.sequences; ++s) {
    const auto length = static_cast<size_t>(part.piece.lengths[s]);
    pool(model.pooling, rows, length, model.hidden, batch.skip, out);
    rows += length * model.hidden;
    out += model.width();
  }
}

void add(const std::vector<Ends>& from, Ends* to) {
  for (size_t i = 0; i < from.size(); ++i) {
    to[i].count += from[i].count;
    to[i].low += from[i].low;
    to[i].high += from[i].high;
    to[i].least = std::min(to[i].least, from[i].least);
    to[i].most = std::max(to[i].most, from[i].most);
  }
}

// The largest piece, for which the arrays are made once.
Piece largest(const std::vector<Part>& parts) {
  Piece most{nullptr, nullptr, 0, 0, 1};
  for (const Part& part : parts) {
    most.tokens = std::max(most.tokens, part.piece.tokens);
    most.longest = std::max(most.longest, part.piece.longest);
  }
  return most;
}

class Run {
 public:
  Run(const Kernels& kernels, const Model& model, const Batch& batch, Workspaces& spare,
      float* out, Ends* ends)
      : kernels_(kernels), model_(model), batch_(batch), spare_(spare),
        parts_(parts_of(model, batch, out)), ends_(ends) {}

  size_t parts() const { return parts_.size(); }

  // Every thread by itself, on the next piece that nobody has taken.
  void apart(size_t threads) {
    std::atomic<size_t> next{0};
    parallel_ranges(threads, threads, [&](size_t, size_t, size_t) {
      Borrowed borrowed(spare_);
      Workspace& work = ready(*borrowed, 1);
      Team one(1);
      const Member member{one, 0};
      std::vector<Ends> counts(model_.linears());
      for (size_t i = next++; i < parts_.size(); i = next++) {
        run_layers(kernels_, model_, parts_[i].piece, work, member, counts.data());
        pool_piece(model_, batch_, parts_[i], work.x);
      }
      count(counts);
    });
  }

  // All threads on one piece after the other.
  void together(size_t threads, Crowd& crowd) {
    Borrowed borrowed(spare_);
    Workspace& work = ready(*borrowed, threads);
    std::vector<std::vector<Ends>> counts(threads, std::vector<Ends>(model_.linears()));
    run_team(threads, crowd, [&](const Member& member) {
      for (const Part& part : parts_) {
        run_layers(kernels_, model_, part.piece, work, member, counts[member.index].data());
        if (member.index == 0) pool_piece(model_, batch_, part, work.x);
        member.wait();
      }
    });
    for (const std::vector<Ends>& one : counts) count(one);
  }

 private:
  Workspace& ready(Workspace& work, size_t members) const {
    const Piece most = largest(parts_);
    work.reserve(model_, most.tokens, block_of(model_, most.tokens), most.longest, members);
    return work;
  }

  void count(const std::vector<Ends>& counts) {
    const std::lock_guard<std::mutex> lock(counting_);
    add(counts, ends_);
  }

  const Kernels& kernels_;
  const Model& model_;
  const Batch& batch_;
  Workspaces& spare_;
  std::vector<Part> parts_;
  Ends* ends_;
  std::mutex counting_;
};

}  // namespace

void forward(const Kernels& kernels, const Model& model, const Batch& batch, size_t threads,
             Workspaces& spare, Crowd& crowd, float* out, Ends* ends) {
  Run run(kernels, model, batch, spare, out, ends);
  threads = std::min(std::max<size_t>(1, threads), most_threads());
  const bool few = threads > 1 && run.parts() < threads;
  if (few && worth_a_team(model, batch) && !crowd.lately()) return run.together(threads, crowd);
  run.apart(std::min(threads, run.parts()));
}

}  // namespace fewbits::encoder
