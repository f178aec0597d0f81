"""Encoding and decoding with trellis codes in numpy: what the native code is equal to, bit for bit.

A vector is centred (on the mean, or its nearest centroid), projected on the basis in integers,
divided by each column's standard deviation and coded; two scalars per row then make the estimate
of inner products unbiased in the metric of sqrt(variance), and exact along the centroid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes, Floats
from fewbits.vectors.lanes import Doubles, lane_dot, lane_sum
from fewbits.vectors.specification import normalise
from fewbits.vectors.trellis.bitstream import pack, unpack
from fewbits.vectors.trellis.paths import Ints, best_windows
from fewbits.vectors.trellis.plan import (
    BASIS_UNIT,
    GAIN_BITS,
    PRODUCT_UNIT,
    ROW_UNIT,
    TrellisPlan,
    directions16,
)
from fewbits.vectors.trellis.tables import COST_SCALE, TRELLIS_WIDTHS, VALUES

_HALF = 65_504.0  # largest float16


@dataclass(frozen=True, eq=False)
class Encoded:
    """What encoding n rows gives besides their bytes.

    Attributes:
        payload: uint8 (n, sum of widths). lists: int64 (n,), the centroid of each row.
        s, b: float64 (n,), the scalars before they are stored; b follows from the stored s.
        distortion: float32 (n,), share of the row's weighted energy that the code does not hold.
    """

    payload: Bytes
    lists: Ints
    s: Doubles
    b: Doubles
    distortion: Floats


def products(left: NDArray[np.int16], right: NDArray[np.int16]) -> Doubles:
    """Return exact inner products (n, m) of integer rows, as whole doubles below 2**31."""
    exact: Doubles = left.astype(np.float64) @ right.astype(np.float64).T
    return exact


def assign(y: Floats, plan: TrellisPlan) -> Ints:
    """Return the nearest centroid of rows that are normalised where the metric asks for it."""
    if len(plan.centroids) == 1:
        return np.zeros(len(y), dtype=np.int64)
    lengths = np.sqrt(lane_dot(y, y))
    x16 = directions16(y.astype(np.float64), lengths)
    scale = np.sqrt(plan.squares) / (ROW_UNIT * ROW_UNIT)
    along = (products(x16, plan.centroids16) * scale) * lengths[:, None]
    return np.asarray(np.argmax(along - 0.5 * plan.squares, axis=1))


def analyse(x: Floats, plan: TrellisPlan, extra: Doubles | None = None) -> Encoded:
    """Return codes and scalars of gated rows (n, d); `extra` is added to b."""
    y = normalise(x) if plan.metric == "cosine" else x
    lists = assign(y, plan)
    r = y - plan.centroids[lists]
    rr = lane_dot(r, r)
    length = np.sqrt(rr)
    z = products(directions16(r.astype(np.float64), length), plan.basis)
    codes = _codes(z.astype(np.float32) * plan.kq, plan)
    payload = pack(codes, plan)
    c = values(unpack(payload, plan), plan)
    s, distortion = _scale(z * PRODUCT_UNIT, c, length, plan)
    stored = read_scalar(store_scalar(s, plan.s_low, plan.s_step, plan), plan.s_low, plan.s_step)
    along = lane_sum(plan.mh[lists].astype(np.float64) * c)
    if plan.metric == "l2":
        b = rr + (2.0 * stored.astype(np.float64)) * along
    else:
        gap = lane_dot(plan.centroids[lists], r) - stored.astype(np.float64) * along
        b = gap * plan.inverse_squares[lists]
    return Encoded(payload, lists, s, b if extra is None else b + extra, distortion)


def encode(x: Floats, plan: TrellisPlan, extra: Doubles | None = None) -> tuple[Bytes, Floats]:
    """Return (code rows uint8 (n, code_size), distortion float32 (n,))."""
    found = analyse(x, plan, extra)
    ids = found.lists.astype("<u4").view(np.uint8).reshape(len(x), 4)[:, : plan.id_bytes]
    s = store_scalar(found.s, plan.s_low, plan.s_step, plan)
    b = store_scalar(found.b, plan.b_low, plan.b_step, plan)
    as_bytes = [v.reshape(len(x), 1).view(np.uint8) for v in (s, b)]
    return np.hstack([found.payload, ids, *as_bytes]), found.distortion


def decode(rows: Bytes, plan: TrellisPlan, stored: Bytes | None = None) -> Floats:
    """Return the vectors that code rows stand for, float32 (n, d).

    `stored` are the values of the rows' columns, where they were unpacked already.
    """
    lists, s, b = row_scalars(rows, plan)
    known = unpack(rows, plan) if stored is None else stored.astype(np.int64)
    whole = np.ldexp(values(known, plan), GAIN_BITS + 1)
    exact = whole @ plan.basis.astype(np.float64)  # integers below 2**53: no order of sums matters
    offset = plan.centroids[lists].astype(np.float64)
    if plan.metric != "l2":
        offset = offset * (1.0 + b.astype(np.float64))[:, None]
    step = s.astype(np.float64) * (2.0 ** -(GAIN_BITS + 1) / BASIS_UNIT)
    return (offset + exact * step[:, None]).astype(np.float32)


def values(stored: Ints, plan: TrellisPlan) -> Doubles:
    """Return column values c (n, m), exact multiples of 2**-25, from stored values U."""
    steps = (2 * stored - plan.off2) * plan.gain
    whole = steps[:, : plan.m]
    whole[:, plan.low_columns] += steps[:, plan.m :]
    return np.ldexp(whole.astype(np.float64), -(GAIN_BITS + 1))


def row_scalars(rows: Bytes, plan: TrellisPlan) -> tuple[Ints, Floats, Floats]:
    """Return (lists int64 (n,), s float32 (n,), b float32 (n,)) of code rows."""
    kind = {1: "u1", 2: "<f2", 4: "<f4"}[plan.scalar_bytes]
    tail = np.ascontiguousarray(rows[:, plan.code_size - 2 * plan.scalar_bytes :]).view(kind)
    s = read_scalar(tail[:, 0], plan.s_low, plan.s_step)
    return row_lists(rows, plan), s, read_scalar(tail[:, 1], plan.b_low, plan.b_step)


def row_lists(rows: Bytes, plan: TrellisPlan) -> Ints:
    """Return the centroid's number in each code row, int64 (n,); too large ones mean the last."""
    end = plan.code_size - 2 * plan.scalar_bytes
    wide = np.zeros((len(rows), 4), dtype=np.uint8)
    wide[:, : plan.id_bytes] = rows[:, end - plan.id_bytes : end]
    numbers = np.minimum(wide.view("<u4")[:, 0], len(plan.centroids) - 1)
    return np.asarray(numbers, dtype=np.int64)


def store_scalar(
    values: Doubles, low: float, step: float, plan: TrellisPlan
) -> NDArray[np.uint8] | NDArray[np.float16] | Floats:
    """Return scalars as they are stored: affine bytes, float16 in units of `step`, or float32."""
    unit, offset = float(np.float32(step)), float(np.float32(low))
    if plan.scalar_bytes == 1:
        return np.clip(np.rint((values - offset) / unit), 0, 255).astype(np.uint8)
    if plan.scalar_bytes == 2:
        scaled = np.clip(values / unit, -_HALF, _HALF).astype(np.float32)
        return scaled.astype(np.float16)
    return values.astype(np.float32)


def read_scalar(stored: NDArray[np.generic], low: float, step: float) -> Floats:
    """Return float32 scalars from their stored form."""
    wide = stored.astype(np.float32)
    if stored.dtype == np.uint8:
        return wide * np.float32(step) + np.float32(low)
    return wide * np.float32(step) if stored.dtype == np.float16 else wide


def _codes(at: Floats, plan: TrellisPlan) -> Ints:
    """Return windows of the trellis columns and numbers of the uniform ones, (n, m)."""
    out = np.empty(at.shape, dtype=np.int64)
    trellis = plan.bits <= max(TRELLIS_WIDTHS)
    if trellis.any():
        bits = plan.bits[trellis]
        most = {w: int(np.abs(VALUES[w]).max()) * COST_SCALE[w] for w in TRELLIS_WIDTHS}
        limit = np.array([most[b] for b in bits.tolist()], dtype=np.float32)
        y = np.rint(np.clip(at[:, trellis], -limit, limit)).astype(np.int64)
        out[:, trellis] = best_windows(y, bits)
    for wide in (6, 8, 12):
        here = plan.bits == wide
        half = 1 << (wide - 1)
        inside = np.clip(np.floor(at[:, here]), -half, half - 1)
        out[:, here] = inside.astype(np.int64) + half
    return out


def _scale(u: Doubles, c: Doubles, length: Doubles, plan: TrellisPlan) -> tuple[Doubles, Floats]:
    """Return (s, distortion): the factor that makes <r, decoded> = <r, r>, weights sigma."""
    weighted = plan.sigma.astype(np.float64) * u
    energy = lane_sum(weighted * u)
    outside = np.maximum(0.0, 1.0 - lane_sum(u * u))
    full = energy + plan.rest_weight * outside
    along = lane_sum(weighted * c)
    held = lane_sum((plan.sigma.astype(np.float64) * c) * c)
    ratio = np.zeros_like(full)
    np.divide(full, along, out=ratio, where=along > 0)
    kept, most = along * along, full * held
    share = np.zeros_like(full)
    np.divide(kept, most, out=share, where=most > 0)
    lost = np.where(most > 0, np.maximum(0.0, 1.0 - share), 0.0)
    return length * ratio, lost.astype(np.float32)
