"""Scores of queries against trellis codes in numpy: what the kernels are equal to, bit for bit.

g_j = <direction, q> times a column's gain is cut into two int8 planes; with the stored values U a
score is s * v + t * b + gamma, v ~ <g, c> from two integer inner products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes, Floats
from fewbits.vectors.lanes import Doubles, lane_sum
from fewbits.vectors.trellis.bitstream import unpack
from fewbits.vectors.trellis.plan import (
    GAIN_BITS,
    PRODUCT_UNIT,
    ROW_UNIT,
    TrellisPlan,
    directions16,
)
from fewbits.vectors.trellis.specification import products, row_scalars

_SECOND = 254.0  # levels of the second plane, see `fewbits.vectors.queries`


@dataclass(frozen=True, eq=False)
class TrellisQueries:
    """What a scan reads of nq queries.

    Attributes:
        plane: int64 (nq, 2, m + m12), each within int8.
        weight: float32 (nq, 2). base: int64 (nq, 2), <off2, plane>.
        t, gamma: float32 (nq, L), per centroid.
    """

    plane: NDArray[np.int64]
    weight: Floats
    base: NDArray[np.int64]
    t: Floats
    gamma: Floats


def prepare(q: Floats, plan: TrellisPlan) -> TrellisQueries:
    """Return gated queries (nq, d) made ready."""
    wide = q.astype(np.float64)
    if plan.metric == "cosine":
        squares = lane_sum(wide * wide)
        inverse = np.zeros_like(squares)
        np.divide(1.0, np.sqrt(squares), out=inverse, where=squares > 0)
        wide = wide * inverse[:, None]
    squares = lane_sum(wide * wide)
    length = np.sqrt(squares)
    q16 = directions16(wide, length)
    g = products(q16, plan.basis) * (length * PRODUCT_UNIT)[:, None]
    plane, weight, base = _planes(g, plan)
    t, gamma = _constants(products(q16, plan.centroids16), squares, plan)
    return TrellisQueries(plane, weight, base, t, gamma)


def scores(q: Floats, rows: Bytes, plan: TrellisPlan) -> Floats:
    """Return float32 (nq, n)."""
    ready = prepare(q, plan)
    stored = unpack(rows, plan).astype(np.float64)
    lists, s, b = row_scalars(rows, plan)
    out = np.empty((len(q), len(rows)), dtype=np.float32)
    for i in range(len(q)):
        # Sums of 8-bit products are exact in doubles.
        raw = 2 * (ready.plane[i].astype(np.float64) @ stored.T) - ready.base[i][:, None]
        terms = raw.astype(np.float32) * ready.weight[i][:, None]
        v = terms[0] + terms[1]
        out[i] = ((v * s) + (ready.t[i][lists] * b)) + ready.gamma[i][lists]
    return out


def _planes(g: Doubles, plan: TrellisPlan) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    e = np.hstack([g, g[:, plan.low_columns]]) * np.ldexp(plan.gain.astype(np.float64), -GAIN_BITS)
    largest = np.abs(e).max(axis=1, keepdims=True)
    unit = np.where(largest > 0, largest / 127.0, 1.0)
    first = np.rint(e / unit)
    second = np.clip(np.rint((e - unit * first) * (_SECOND / unit)), -127, 127)
    plane = np.stack([first, second], axis=1).astype(np.int64)
    factor = 2.0 if plan.metric == "l2" else 1.0
    half = 0.5 * factor * unit
    weight = np.hstack([half, half / _SECOND]).astype(np.float32)
    return plane, np.where(largest > 0, weight, np.float32(0)), plane @ plan.off2


def _constants(along: Doubles, squares: Doubles, plan: TrellisPlan) -> tuple[Floats, Floats]:
    scale = np.sqrt(plan.squares) / (ROW_UNIT * ROW_UNIT)
    base = (along * scale) * np.sqrt(squares)[:, None]
    if plan.metric != "l2":
        gamma = base.astype(np.float32)
        return gamma, gamma
    gamma = (-((squares[:, None] - 2.0 * base) + plan.squares)).astype(np.float32)
    return np.full_like(gamma, -1.0), gamma
