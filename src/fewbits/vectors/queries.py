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
from fewbits.vectors.lanes import Doubles, lane_sum

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
    """Return gated queries (nq, d) made ready for codes of this form.

    This is the specification of `src/native/query.cpp`, which searches use.
    """
    wide = q.astype(np.float64)
    if form.metric == "cosine":
        squares = lane_sum(wide * wide)
        inverse = np.zeros_like(squares)
        np.divide(1.0, np.sqrt(squares), out=inverse, where=squares > 0)
        wide = wide * inverse[:, None]
    factor = 2.0 if form.metric == "l2" else 1.0
    t, gamma = _constants(wide, form)
    if form.packing == "f16":
        dense = (factor * wide).astype(np.float32)
        none = np.zeros((len(q), 1))
        return Queries(
            none[:, :, None].astype(np.int8),
            dense,
            none.astype(np.float32),
            none.astype(np.int32),
            t,
            gamma,
        )
    plane, weight, base = (_bits if form.hamming else _planes)(wide, form, factor)
    if form.step_rule == "offset" and not form.hamming:
        # From the rounded query, so that alpha * u and beta cancel exactly where they should.
        t = (plane.sum(axis=2, dtype=np.float64) * weight).sum(axis=1).astype(np.float32)
    return Queries(plane, np.empty((len(q), 0), np.float32), weight, base, t, gamma)


def _constants(wide: Doubles, form: LinearForm) -> tuple[Floats, Floats]:
    mean = form.mean.astype(np.float64)
    along = lane_sum(wide * mean)
    squares = lane_sum((mean * mean)[None, :])[0]
    t = along / squares if squares > 0 else np.zeros(len(wide))
    gamma = along
    if form.metric == "l2" and form.correct:
        shifted = wide - mean
        gamma = -lane_sum(shifted * shifted)
    elif form.metric == "l2":
        gamma = 2.0 * along - lane_sum(wide * wide)
    return t.astype(np.float32), gamma.astype(np.float32)


def _planes(
    wide: Doubles, form: LinearForm, factor: float
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
    wide: Doubles, form: LinearForm, factor: float
) -> tuple[NDArray[np.int8], Floats, NDArray[np.int32]]:
    """Sign bits of q; the weight is the scale of least squared error for q * step."""
    plane = np.packbits(wide > 0, axis=1).view(np.int8)[:, None, :]
    values = wide * form.step if form.step_rule == "fixed" else wide
    weight = factor * (lane_sum(np.abs(values)) / form.d)[:, None]
    zeros = np.zeros((len(wide), 1), dtype=np.int32)
    return np.ascontiguousarray(plane), weight.astype(np.float32), zeros
