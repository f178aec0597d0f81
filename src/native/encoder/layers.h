// layers.h - token ids to token rows: the embeddings and all layers, on one piece of work.
#pragma once
#include "../table.h"
#include "model.h"
#include "team.h"
#include "workspace.h"

namespace fewbits::encoder {

// Sequences end to end: `lengths[s]` ids each, every id and position inside its table.
struct Piece {
  const int32_t* ids;
  const int64_t* lengths;
  size_t sequences;
  size_t tokens;   // the sum of the lengths
  size_t longest;
};

// Tokens that go through the feed-forward layers at a time.
size_t block_of(const Model& model, size_t tokens);

// Leaves the last layer's rows in work.x. Called by every member of a team with its own `ends`, one
// per linear; `work` was reserved for the piece. No member is still at work when it returns.
void run_layers(const Kernels& kernels, const Model& model, const Piece& piece, Workspace& work,
                const Member& member, Ends* ends);

}  // namespace fewbits::encoder
