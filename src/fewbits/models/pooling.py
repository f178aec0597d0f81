"""Token vectors to one vector per text.

With tokens h_1 ... h_L, special tokens included, of which the first `skip` belong to a prompt that
the model leaves out: cls = h_{skip+1}, lasttoken = h_L, max and mean over i > skip,
mean_sqrt_len_tokens = sum / sqrt(L - skip), weightedmean = sum(i h_i) / sum(i) over i > skip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fewbits.arrays import Floats
from fewbits.models.spec import Pooling

_EPS = np.float32(1e-12)


def pool(hidden: Floats, pooling: Pooling, skip: int = 0) -> Floats:
    """Return (n, len(modes) * width) for sequences of one length.

    Args:
        hidden: float32 (n, length, width), no padding.
        pooling: modes to concatenate, in order.
        skip: leading tokens left out; where nothing would remain, the result is zero.
    """
    kept = hidden[:, skip:]
    if kept.shape[1] == 0:
        return np.zeros((len(hidden), len(pooling.modes) * hidden.shape[2]), dtype=np.float32)
    parts = [_MODES[mode](kept, skip) for mode in pooling.modes]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def normalize(x: Floats) -> Floats:
    """Return `x / max(|x|, 1e-12)` row by row; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))
    out: Floats = x / np.maximum(norms, _EPS)[:, None]
    return out


def _cls(hidden: Floats, skip: int) -> Floats:
    return hidden[:, 0].copy()


def _last(hidden: Floats, skip: int) -> Floats:
    return hidden[:, -1].copy()


def _max(hidden: Floats, skip: int) -> Floats:
    out: Floats = hidden.max(axis=1)
    return out


def _mean(hidden: Floats, skip: int) -> Floats:
    out: Floats = hidden.mean(axis=1)
    return out


def _mean_sqrt_length(hidden: Floats, skip: int) -> Floats:
    out: Floats = hidden.sum(axis=1) / np.sqrt(np.float32(hidden.shape[1]))
    return out


def _weighted_mean(hidden: Floats, skip: int) -> Floats:
    weights = np.arange(skip + 1, skip + 1 + hidden.shape[1], dtype=np.float32)
    out: Floats = np.einsum("nld,l->nd", hidden, weights) / weights.sum()
    return out


_MODES: Mapping[str, Callable[[Floats, int], Floats]] = {
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt_length,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
