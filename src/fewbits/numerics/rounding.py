"""Rounding to integers: half to even, and stochastic with noise that belongs to the row.

Stochastic rounding is unbiased, `E[stochastic(x, u)] = x`, at the price of twice the mean squared
error of nearest rounding (f(1 - f) averaged over the fraction f is 1/6, nearest has 1/12). Drawn
from a generator's stream, its noise would make a row's code depend on the rows encoded before it;
here the noise is a hash of the row itself: the same vector gets the same code in any batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Floats, as_count, as_matrix
from fewbits.errors import InputError

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: the splitmix64 counter step
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def half_to_even(x: Floats) -> Floats:
    """Round to the nearest integer, ties to the even one; same shape and dtype as `x`."""
    rounded: Floats = np.rint(x)
    return rounded


def stochastic(x: ArrayLike, u: ArrayLike) -> Floats:
    """Return `floor(x + u)` as float32, which is unbiased for u uniform in [0, 1).

    The sum is taken in float64, where it is exact for every x a code can hold: an x that already
    is an integer never moves.
    """
    total = np.add(x, u, dtype=np.float64)
    return np.asarray(np.floor(total), dtype=np.float32)


def noise(x: ArrayLike, seed: int = 0) -> Floats:
    """Return uniform noise in [0, 1), float32 of the shape of `x`, keyed on each row's content.

    u[i, j] = finalise(hash(seed, x[i, :]) + (j + 1) * golden) / 2**64, cut to 24 bits. The hash is
    a multilinear one over the float32 bit patterns (-0.0 counts as 0.0), the finaliser is that of
    splitmix64 (Steele, Lea & Flood 2014). It depends on nothing else: not on the batch, the row's
    place in it, the machine or its byte order.

    Args:
        x: (n, d) floats.
        seed: 0 <= seed < 2**64.

    Raises:
        InputError: `x` is no finite matrix, or the seed is no such integer.
    """
    rows = as_matrix(x)
    start = _finalise(np.array([_as_seed(seed)], dtype=np.uint64) + _GOLDEN)
    steps = np.arange(1, rows.shape[1] + 1, dtype=np.uint64) * _GOLDEN
    odd = _finalise(start + steps) | np.uint64(1)
    patterns = (rows + np.float32(0)).view(np.uint32).astype(np.uint64)
    keys = _finalise(patterns @ odd + start)
    states = _finalise(keys[:, None] + steps)
    return (states >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def _finalise(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


def _as_seed(seed: int) -> int:
    value = as_count(seed, "seed")
    if value >= 1 << 64:
        raise InputError(f"seed must be below 2**64, got {value}")
    return value
