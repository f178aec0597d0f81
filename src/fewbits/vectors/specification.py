"""The specification in numpy: what every native kernel must return, bit for bit.

Written for clearness, not speed. Sums run in eight float64 lanes (lane l takes elements l, 8 + l,
...), which are then added 4, 2 and 1 apart; every other operation is a single rounded one. See
`src/native/encode/encode.h` and `src/native/query.h` for the same text in C++.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import MAX_ABS, Bytes, Floats
from fewbits.numerics.packing import pack, pack_trits, unpack, unpack_trits
from fewbits.numerics.rounding import noise, stochastic
from fewbits.vectors.form import ALPHA_LIMIT, LinearForm
from fewbits.vectors.lanes import Doubles, lane_dot, lane_sum

if TYPE_CHECKING:
    from fewbits.vectors.queries import Queries


def normalise(x: Floats) -> Floats:
    """Return rows of unit length; a zero row stays zero."""
    squares = lane_dot(x, x)
    inverse = np.zeros_like(squares)
    np.divide(1.0, np.sqrt(squares), out=inverse, where=squares > 0)
    return (x.astype(np.float64) * inverse[:, None]).astype(np.float32)


def encode(x: Floats, form: LinearForm, seed: int | None = None) -> Bytes:
    """Return code rows uint8 (n, code_size); `seed` asks for stochastic rounding."""
    y = normalise(x) if form.metric == "cosine" else x
    if form.packing == "f16":
        return _encode_f16(y, form)
    r = y - form.mean
    step, zero = _row_steps(r, form)
    u = _round(r, step, zero, form, seed)
    c = (2 * u - 1 if form.packing == "b1" else u - zero).astype(np.float32)
    scaled = step * c if form.step_rule == "fixed" else c
    factors = _factors(r, scaled, step, zero, form)
    rows = np.ascontiguousarray(np.stack(factors, axis=1), dtype="<f4") if factors else None
    payload = pack_stored(u, form)
    return payload if rows is None else np.hstack([payload, rows.view(np.uint8)])


def _row_steps(r: Floats, form: LinearForm) -> tuple[Floats, Floats]:
    """Return (step, zero), each (1, d) or (n, 1)."""
    if form.step_rule == "fixed":
        return form.step[None, :], form.zero[None, :]
    low = np.minimum(r.min(axis=1, initial=0, keepdims=True), np.float32(0))
    high = np.maximum(r.max(axis=1, initial=0, keepdims=True), np.float32(0))
    if form.step_rule == "offset":
        step = (high - low) / np.float32(form.high - form.low)
    elif form.rms_factor > 0:
        mean_square = lane_dot(r, r)[:, None] / form.d
        step = (form.rms_factor * np.sqrt(mean_square)).astype(np.float32)
    else:
        step = np.maximum(high, -low) / np.float32(form.high_c)
    usable = step > 0
    step = np.where(usable, step, np.float32(1)).astype(np.float32)
    if form.step_rule == "row":
        return step, form.zero[None, :]
    zero = np.rint(-low / step) + np.float32(form.low)
    return step, np.where(usable, zero, np.float32(0)).astype(np.float32)


def _round(r: Floats, step: Floats, zero: Floats, form: LinearForm, seed: int | None) -> Floats:
    if form.packing == "b1":
        return _round_sign(r, step, form, seed)
    limit = np.float32(ALPHA_LIMIT)
    ratio = np.clip(r / step, -limit, limit)
    levels = np.rint(ratio) if seed is None else stochastic(ratio, _noise(r, seed))
    stored: Floats = np.clip(levels + zero, np.float32(form.low), np.float32(form.high))
    return stored.astype(np.float32, copy=False)


def _noise(r: Floats, seed: int) -> Floats:
    return noise(np.clip(r, -MAX_ABS, MAX_ABS), seed)  # centred rows may exceed the gate's limit


def _round_sign(r: Floats, step: Floats, form: LinearForm, seed: int | None) -> Floats:
    if seed is None:
        return (r > 0).astype(np.float32)
    if form.step_rule == "fixed":
        scale = step
    else:
        scale = (lane_sum(np.abs(r).astype(np.float64)) / form.d).astype(np.float32)[:, None]
    # P(+1) = clip((r / scale + 1) / 2, 0, 1): the decoded bit is unbiased inside +-scale.
    ratio = np.divide(r, scale, out=np.zeros_like(r), where=scale > 0)
    return (_noise(r, seed) < (np.clip(ratio, -1, 1) + 1) / 2).astype(np.float32)


def _factors(
    r: Floats, scaled: Floats, step: Floats, zero: Floats, form: LinearForm
) -> list[Floats]:
    """Return the present ones of alpha, beta, nu, each float32 (n,)."""
    if form.correct:
        alpha, beta, nu = _corrected(r, scaled, form)
    else:
        alpha, beta, nu = _plain(r, scaled, step, zero, form)
    present = ((form.alpha, alpha), (form.beta, beta), (form.nu, nu))
    return [values for has, values in present if has]


def _corrected(r: Floats, scaled: Floats, form: LinearForm) -> tuple[Floats, Floats, Floats]:
    mean = form.mean[None, :]
    squares, along = lane_dot(r, r), lane_dot(r, scaled)
    ratio = np.zeros_like(squares)
    np.divide(squares, along, out=ratio, where=along > 0)
    alpha = np.minimum(ratio, ALPHA_LIMIT).astype(np.float32)
    cross = alpha.astype(np.float64) * lane_dot(mean, scaled)
    beta = (lane_dot(mean, r) - cross).astype(np.float32)
    nu = (squares + 2.0 * cross).astype(np.float32)
    return alpha, beta, nu


def _plain(
    r: Floats, scaled: Floats, step: Floats, zero: Floats, form: LinearForm
) -> tuple[Floats, Floats, Floats]:
    n = len(r)
    if form.step_rule == "fixed":
        alpha = np.ones(n, dtype=np.float32)
        value = form.mean + scaled
    else:
        alpha = np.broadcast_to(step, (n, 1))[:, 0]
        if form.packing == "b1":
            alpha = (lane_sum(np.abs(r).astype(np.float64)) / form.d).astype(np.float32)
        value = scaled * alpha[:, None]
    beta = -(step * zero)[:, 0] if form.step_rule == "offset" else np.zeros(n, dtype=np.float32)
    nu = lane_dot(value, value).astype(np.float32)
    return alpha, np.broadcast_to(beta, (n,)), nu


def _encode_f16(y: Floats, form: LinearForm) -> Bytes:
    halves = y.astype("<f2")
    payload = np.ascontiguousarray(halves).view(np.uint8)
    if not form.nu:
        return payload
    nu = lane_dot(halves, halves).astype("<f4")
    return np.hstack([payload, nu[:, None].view(np.uint8)])


def pack_stored(u: Floats, form: LinearForm) -> Bytes:
    """Pack stored values (n, d) into payload bytes."""
    if form.packing == "i8":
        return u.astype(np.int8).view(np.uint8)
    stored = u.astype(np.uint8)
    return pack_trits(stored) if form.packing == "trit" else pack(stored, _bits(form))


def unpack_stored(codes: Bytes, form: LinearForm) -> NDArray[np.int64]:
    """Return the stored values u, int64 (n, d)."""
    payload = np.ascontiguousarray(codes[:, : form.payload])
    if form.packing == "i8":
        return payload.view(np.int8).astype(np.int64)
    if form.packing == "trit":
        return unpack_trits(payload, form.d).astype(np.int64)
    return unpack(payload, _bits(form), form.d).astype(np.int64)


def unpack_factors(codes: Bytes, form: LinearForm) -> tuple[Floats, Floats, Floats]:
    """Return (alpha, beta, nu), float32 (n,); absent ones are 1, 0 and 0."""
    tail = np.ascontiguousarray(codes[:, form.payload :]).view("<f4")
    columns = iter(range(tail.shape[1]))
    n = len(codes)
    alpha = tail[:, next(columns)] if form.alpha else np.ones(n, dtype=np.float32)
    beta = tail[:, next(columns)] if form.beta else np.zeros(n, dtype=np.float32)
    nu = tail[:, next(columns)] if form.nu else np.zeros(n, dtype=np.float32)
    return alpha, beta, nu


def decode(codes: Bytes, form: LinearForm) -> Floats:
    """Return the vectors that code rows stand for, float32 (n, d).

    For ip and cosine, <q, decoded> is the score. For corrected l2 codes the search scale (unbiased)
    differs from the one of least squared error; the latter is decoded, |r|^2 / (alpha |c|^2).
    """
    if form.packing == "f16":
        halves = np.ascontiguousarray(codes[:, : form.payload]).view("<f2")
        return halves.astype(np.float32)
    alpha, beta, nu = unpack_factors(codes, form)
    c = (form.gain * unpack_stored(codes, form) - _zero_point(form)).astype(np.float32)
    scaled = form.step * c if form.step_rule == "fixed" else c
    exact = form.correct and form.nu
    factor: NDArray[Any] = _least_squares(alpha, nu, scaled, form) if exact else alpha
    value = form.mean + factor[:, None] * scaled
    if form.beta:
        value = value + beta[:, None] * form.direction
    decoded: Floats = value.astype(np.float32)
    return decoded


def _least_squares(alpha: Floats, nu: Floats, scaled: Floats, form: LinearForm) -> Doubles:
    wide = alpha.astype(np.float64)
    squares = np.maximum(nu - 2.0 * wide * lane_dot(form.mean[None, :], scaled), 0.0)
    own = lane_dot(scaled, scaled)
    best = np.zeros_like(wide)
    np.divide(squares, wide * own, out=best, where=wide * own > 0)
    # Where alpha met its limit it no longer tells <r, scaled>, which is |r| |scaled| at most.
    most = np.zeros_like(wide)
    np.divide(np.sqrt(squares), np.sqrt(own), out=most, where=own > 0)
    return np.minimum(best, most)


def score(queries: Queries, codes: Bytes, form: LinearForm) -> Floats:
    """Return scores float32 (nq, n): ((v * alpha + beta * t) - nu) + gamma."""
    v = _dense_dots(queries, codes, form) if form.packing == "f16" else _dots(queries, codes, form)
    alpha, beta, nu = unpack_factors(codes, form)
    if form.alpha:
        v = v * alpha
    if form.beta:
        v = v + beta * queries.t[:, None]
    if form.nu:
        v = v - nu
    return np.asarray(v + queries.gamma[:, None], dtype=np.float32)


def _dots(queries: Queries, codes: Bytes, form: LinearForm) -> Floats:
    stored = unpack_stored(codes, form)
    if form.hamming:
        bits = np.unpackbits(queries.plane[:, 0].view(np.uint8), axis=1, count=form.d)
        differences = (bits[:, None, :] != stored[None, :, :]).sum(axis=2)
        return np.asarray((form.d - 2 * differences) * queries.weight, dtype=np.float32)
    parts = []
    for p in range(queries.plane.shape[1]):
        raw = queries.plane[:, p].astype(np.int64) @ stored.T
        exact = (form.gain * raw - queries.base[:, p : p + 1]).astype(np.float32)
        parts.append(exact * queries.weight[:, p : p + 1])
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _dense_dots(queries: Queries, codes: Bytes, form: LinearForm) -> Floats:
    """Sixteen float32 lanes, then a fixed tree: the order of `dot_f16.h`."""
    rows = np.ascontiguousarray(codes[:, : form.payload]).view("<f2").astype(np.float32)
    width = -(-form.d // 16) * 16
    x = np.zeros((len(rows), width), dtype=np.float32)
    x[:, : form.d] = rows
    q = np.zeros((len(queries.dense), width), dtype=np.float32)
    q[:, : form.d] = queries.dense
    lanes = np.zeros((len(q), len(x), 16), dtype=np.float32)
    for start in range(0, width, 16):
        lanes += x[None, :, start : start + 16] * q[:, None, start : start + 16]
    for step in (8, 4, 2, 1):
        lanes = lanes[:, :, :step] + lanes[:, :, step : 2 * step]
    return lanes[:, :, 0]


def _zero_point(form: LinearForm) -> NDArray[np.int64]:
    """Return the zero-point that is shared by all rows; a row's own one lives in its beta."""
    if form.step_rule == "offset":
        return np.zeros(form.d, dtype=np.int64)
    return form.zero.astype(np.int64)


def _bits(form: LinearForm) -> int:
    return 4 if form.packing == "u4" else 1
