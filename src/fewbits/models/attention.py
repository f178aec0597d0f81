"""Self-attention over one run of equally long sequences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.models.batching import Run
from fewbits.models.spec import EncoderSpec, Positions, Weights

_SCORES = 1 << 18  # attention scores held at a time, float32: 1 MiB stays in an L2 cache

# Multiply-adds per matrix product. OpenBLAS splits larger ones over threads, and waking those up
# costs more than it saves at the size of one head; a busy machine makes it several times worse.
_PRODUCT = 1 << 18


def attend(qkv: Floats, out: Floats, run: Run, heads: int, bias: Floats | None) -> None:
    """Write `softmax(q k^T / sqrt(head_size) + bias) v` of every head into `out`.

    Args:
        qkv: float32 (tokens, 3 * hidden): query, key, value; the queries are scaled in place.
        out: float32 (tokens, hidden), heads side by side.
        run: the tokens to handle.
        heads: number of heads.
        bias: float32 (heads, length, length) added to the scores, or None.
    """
    if run.length == 0:  # an empty text, where the tokenizer adds no special tokens
        return
    size = out.shape[1] // heads
    parts = qkv[run.tokens].reshape(run.count, run.length, 3, heads, size)
    parts[:, :, 0] *= np.float32(1 / math.sqrt(size))
    # (sequence, head, token, feature), views of the packed arrays
    q, k, v = (parts[:, :, part].transpose(0, 2, 1, 3) for part in range(3))
    result = out[run.tokens].reshape(run.count, run.length, heads, size).transpose(0, 2, 1, 3)
    rows = min(run.length, max(8, _PRODUCT // (run.length * size)))
    step = max(1, _SCORES // (heads * run.length * rows))
    for start in range(0, run.count, step):
        piece = slice(start, start + step)
        for row in range(0, run.length, rows):
            asked = slice(row, row + rows)
            added = None if bias is None else bias[:, asked]
            _attend(q[piece, :, asked], k[piece], v[piece], result[piece, :, asked], added)


def _attend(q: Floats, k: Floats, v: Floats, out: Floats, bias: Floats | None) -> None:
    scores = q @ k.swapaxes(2, 3)
    if bias is not None:
        scores += bias
    scores -= scores.max(axis=3, keepdims=True)
    np.exp(scores, out=scores)
    np.matmul(scores, v, out=out)
    # A head is narrower than most texts are long: cheaper to divide the sums than the weights.
    out /= scores.sum(axis=3, keepdims=True)


def relative_bias(spec: EncoderSpec, weights: Weights, length: int) -> Floats | None:
    """Return the relative-position bias (heads, length, length), or None for a spec without."""
    if not spec.positions.buckets:
        return None
    table = weights["attention.relative_bias.weight"]
    buckets = relative_buckets(spec.positions, length)
    return np.ascontiguousarray(table[buckets].transpose(2, 0, 1))


def relative_buckets(positions: Positions, length: int) -> NDArray[np.intp]:
    """Return the table row for every (query, key) pair, (length, length).

    Half of the rows per direction; of these, half stand for the distances 0, 1, 2 ... and half
    are spread logarithmically up to `max_distance` (Raffel et al. 2020).
    """
    behind = np.arange(length)[:, None] - np.arange(length)[None, :]  # query - key
    half = positions.buckets // 2
    exact = half // 2
    distance = np.abs(behind)
    log = np.log(np.maximum(distance, 1).astype(np.float32) / np.float32(exact))
    spread = np.float32(math.log(positions.max_distance / exact))
    far = exact + (log / spread * np.float32(half - exact)).astype(np.intp)
    near_or_far = np.where(distance < exact, distance, np.minimum(far, half - 1))
    rows: NDArray[np.intp] = near_or_far + np.where(behind < 0, half, 0)
    return rows
