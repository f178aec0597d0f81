// forward.h - packed sequences to one row each, on several threads.
//
// Several sequences: every thread takes pieces of some hundred tokens, whose arrays stay in its L2
// cache through all layers. Fewer pieces than threads (one short text): all threads walk the pieces
// together. Every kernel's result for a row depends on that row or sequence alone, so that neither
// the batch nor the number of threads changes a bit.
#pragma once
#include "layers.h"

namespace fewbits::encoder {

struct Batch {
  const int32_t* ids;
  const int64_t* lengths;
  size_t sequences;
  size_t skip;       // tokens of a prompt that pooling leaves out
};

// Threads take their arrays from `spare` and leave them there; `crowd` outlives the call, too.
// out: sequences rows of model.width() floats; ends: model.linears() counts, added to.
void forward(const Kernels& kernels, const Model& model, const Batch& batch, size_t threads,
             Workspaces& spare, Crowd& crowd, float* out, Ends* ends);

}  // namespace fewbits::encoder
