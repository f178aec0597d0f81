"""How large the inputs of linears get, found without any text: on random sequences of tokens.

Which inputs of a linear are outliers is mostly decided by the weights before it, so that tokens
drawn from the whole vocabulary show the same ones as texts do; measured on all-MiniLM-L6-v2, the
logarithms of the magnitudes correlate by 0.92 to 0.94 for inputs that come from a layer norm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from fewbits.arrays import Floats
from fewbits.models.batching import batches
from fewbits.models.reference import Reference
from fewbits.models.spec import EncoderSpec, Weights
from fewbits.models.tokenizer import TokenIds

_SEQUENCES = 128
_LONGEST = 32  # tokens of a sequence, besides the special ones
_BATCH_TOKENS = 2048


def probe_inputs(
    spec: EncoderSpec, weights: Weights, frame: TokenIds, names: Iterable[str], *, seed: int = 0
) -> dict[str, Floats]:
    """Return max |x| per input of each named linear, float32 (k,), over random sequences.

    Args:
        spec: the model as data.
        weights: its float32 tensors.
        frame: the token ids of an empty text: the special tokens before and after a text.
        names: linears of the spec.
        seed: which sequences.
    """
    found: dict[str, Floats] = {}
    wanted = {f"{name}.input": name for name in names}

    def tap(name: str, x: Floats) -> None:
        if name in wanted:
            reach = np.abs(x).max(axis=0)
            before = found.get(wanted[name], reach)
            found[wanted[name]] = np.maximum(before, reach)

    if wanted:
        forward = Reference(spec, weights)
        for batch in batches(list(_sequences(spec, frame, seed)), _BATCH_TOKENS):
            forward(batch, tap=tap)
    return found


def _sequences(spec: EncoderSpec, frame: TokenIds, seed: int) -> Iterator[TokenIds]:
    draw = np.random.default_rng(seed)
    longest = max(1, min(_LONGEST, spec.max_length - len(frame)))
    head, tail = np.split(frame, [(len(frame) + 1) // 2])
    for length in draw.integers(1, longest + 1, size=_SEQUENCES):
        inner = draw.integers(0, spec.vocab_size, size=length)
        yield np.concatenate([head, inner.astype(frame.dtype), tail])
