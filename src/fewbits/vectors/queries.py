"""Queries made ready for the kernels: int8 planes, or float32 for half codes.

q * step is cut into one or two int8 planes, weight[0] * plane[0] + weight[1] * plane[1]. One plane
keeps 7 bits and suits codes of 1 to 1.6 bits; the second adds 8 more, after which the code is the
only error left. The metric's constants become t and gamma: score = (v alpha + beta t - nu) + gamma.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.vectors.form import LinearForm

_SECOND = 254.0  # the rest after rounding to 127 levels lies within +-half a step: 127 more levels


@dataclass(frozen=True, eq=False)
class Queries:
    """What a scan reads of nq queries.

    Attributes:
        plane: int8 (nq, planes, d), or the packed bits (nq, 1, ceil(d/8)) for hamming.
        dense: float32 (nq, d) for half codes, else (nq, 0).
        weight: float32 (nq, planes). base: int32 (nq, planes), <zero_point, plane>.
        t: float32 (nq,), what beta is multiplied by. gamma: float32 (nq,), added last.
    """

    plane: NDArray[np.int8]
    dense: Floats
    weight: Floats
    base: NDArray[np.int32]
    t: Floats
    gamma: Floats


def prepare(q: Floats, form: LinearForm) -> Queries:
    """Return gated queries (nq, d) made ready for codes of this form."""
    wide = q.astype(np.float64)
    if form.metric == "cosine":
        squares = np.einsum("ij,ij->i", wide, wide)
        wide = wide / np.where(squares > 0, np.sqrt(squares), 1.0)[:, None]
    factor = 2.0 if form.metric == "l2" else 1.0
    t, gamma = _constants(wide, form)
    if form.packing == "f16":
        none = np.empty((len(q), 1, 0), np.int8)
        zeros = np.zeros((len(q), 1))
        dense = (factor * wide).astype(np.float32)
        return Queries(none, dense, zeros.astype(np.float32), zeros.astype(np.int32), t, gamma)
    if form.hamming:
        plane, weight, base = _bits(wide, form, factor)
    else:
        plane, weight, base = _planes(wide, form, factor)
    if form.step_rule == "offset":
        # From the rounded query, so that alpha * u and beta cancel exactly where they should.
        t = (plane.sum(axis=2, dtype=np.float64) * weight).sum(axis=1).astype(np.float32)
    return Queries(plane, np.empty((len(q), 0), np.float32), weight, base, t, gamma)


def _constants(wide: NDArray[np.float64], form: LinearForm) -> tuple[Floats, Floats]:
    mean = form.mean.astype(np.float64)
    along = wide @ mean
    if form.metric == "l2":
        if form.correct:
            shifted = wide - mean
            gamma = -np.einsum("ij,ij->i", shifted, shifted)
        else:
            gamma = 2.0 * along - np.einsum("ij,ij->i", wide, wide)
    else:
        gamma = along
    t = along / (mean @ mean) if mean.any() else np.zeros(len(wide))
    return t.astype(np.float32), gamma.astype(np.float32)


def _planes(
    wide: NDArray[np.float64], form: LinearForm, factor: float
) -> tuple[NDArray[np.int8], Floats, NDArray[np.int32]]:
    values = wide * form.step if form.step_rule == "fixed" else wide
    largest = np.abs(values).max(axis=1, keepdims=True)
    unit = np.where(largest > 0, largest / 127.0, 1.0)
    first = np.rint(values / unit)
    layers, weights = [first], [unit]
    if form.planes == 2:
        layers.append(np.clip(np.rint((values - unit * first) * (_SECOND / unit)), -127, 127))
        weights.append(unit / _SECOND)
    plane = np.stack(layers, axis=1).astype(np.int8)
    weight = (factor * np.hstack(weights)).astype(np.float32)
    shared = np.zeros(form.d) if form.step_rule == "offset" else form.zero
    base = plane.astype(np.int64) @ shared.astype(np.int64)
    return plane, np.where(largest > 0, weight, np.float32(0)), base.astype(np.int32)


def _bits(
    wide: NDArray[np.float64], form: LinearForm, factor: float
) -> tuple[NDArray[np.int8], Floats, NDArray[np.int32]]:
    """Sign bits of q; the weight is the scale of least squared error for q * step."""
    plane = np.packbits(wide > 0, axis=1).view(np.int8)[:, None, :]
    values = wide * form.step if form.step_rule == "fixed" else wide
    weight = factor * np.abs(values).mean(axis=1, keepdims=True)
    zeros = np.zeros((len(wide), 1), dtype=np.int32)
    return np.ascontiguousarray(plane), weight.astype(np.float32), zeros
