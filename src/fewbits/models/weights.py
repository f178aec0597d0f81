"""How a recipe rounds weights: 16-bit floats, or int8 codes with a scale per row.

An int8 row w has one scale s, w ~ s * code, code = clip(round(w / s), -127, 127). A row is an
output channel of a linear or a row of a table. The scale is max|w| / 127 (clip "none"), or that
times the ratio in [0.5, 1] which minimises sum_i h[i] * (w[i] - s * code[i])^2 (clip "mse"). With
h[i] = E[x[i]^2], the second moments of the inputs, this is the expected squared error of the output
as far as inputs are uncorrelated; without, h = 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.models.recipe import Clip, WeightFormat
from fewbits.models.tensors import narrow_to_bfloat16
from fewbits.numerics import qparams, quantize

# Shifts of the ratio, first from 1, then from the best so far.
_COARSE = np.linspace(-0.025, -0.5, 20, dtype=np.float32)
_FINE = np.array([-0.015, -0.01, -0.005, 0.005, 0.01, 0.015], dtype=np.float32)
_BLOCK = 1 << 16  # weights whose errors are computed at a time: they stay in an L2 cache
_LARGEST_HALF = np.float32(65_504)


def round_weights(
    w: Floats,
    weights: WeightFormat,
    *,
    clip: Clip = "mse",
    importance: NDArray[np.floating] | None = None,
) -> tuple[NDArray[Any], Floats | None]:
    """Return the stored values (n, k), of dtype `STORED[weights]`, and int8's scales (n,).

    Args:
        w: float32 (n, k), finite.
        weights: the format.
        clip: how int8 finds its scales, see the module.
        importance: (k,) non-negative, h of the module's formula; None for all alike.

    Raises:
        InputError: values beyond float16 where that is the format; importance of another shape.
    """
    if weights == "float16":
        return _as_half(w), None
    if weights == "bfloat16":
        return narrow_to_bfloat16(w), None
    if weights == "float32":
        return w, None
    scale = int8_scales(w, clip, importance)
    return quantize(w, scale[:, None], bits=8, symmetric=True), scale


def int8_scales(
    w: Floats, clip: Clip = "mse", importance: NDArray[np.floating] | None = None
) -> Floats:
    """Return the scale of every row, float32 (n,); a row of zeros has scale 1."""
    reach = np.abs(w).max(axis=1)
    widest, _ = qparams(-reach, reach, bits=8, symmetric=True)
    if clip == "none":
        return widest
    share = _importance(importance, w.shape[1])
    scale = widest.copy()
    step = max(1, _BLOCK // w.shape[1])
    for start in range(0, len(w), step):
        rows = slice(start, start + step)
        scale[rows] *= _least_error(w[rows], widest[rows], share)
    return scale


def _least_error(w: Floats, widest: Floats, importance: Floats) -> Floats:
    """Return the ratio of least error per row, float32 (n,): a coarse pass, then a fine one."""
    units = w / widest[:, None]
    best = np.ones_like(widest)
    least = _errors(units, best, importance)
    for shifts in (_COARSE, _FINE):
        centre = best
        for shift in shifts:
            ratio = np.minimum(centre + shift, 1)
            error = _errors(units, ratio, importance)
            better = error < least
            best, least = np.where(better, ratio, best), np.where(better, error, least)
    return best


def _errors(units: Floats, ratio: Floats, importance: Floats) -> Floats:
    """Return the weighted squared error per row, in units of the widest scale squared."""
    places = units / ratio[:, None]
    codes = np.rint(places)
    np.clip(codes, -127, 127, out=codes)
    places -= codes
    # einsum and not a matrix product: BLAS would wake threads up for too little.
    error: Floats = np.einsum("ij,ij->i", places, places * importance) * (ratio * ratio)
    return error


def _importance(importance: NDArray[np.floating] | None, k: int) -> Floats:
    if importance is None:
        return np.ones(k, dtype=np.float32)
    if importance.shape != (k,):
        raise InputError(f"importance must be ({k},), one value per input, got {importance.shape}")
    # Only ratios matter; of mean 1, whatever the unit, no product leaves float32.
    mean = float(importance.mean())
    return (importance / mean if mean > 0 else np.ones(k)).astype(np.float32)


def _as_half(w: Floats) -> NDArray[np.float16]:
    largest = np.abs(w).max(initial=0)
    if largest > _LARGEST_HALF:
        raise InputError(
            f"weights reach {largest:g}, beyond float16's 65504; store them as bfloat16 or float32"
        )
    return w.astype(np.float16)
