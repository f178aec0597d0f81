"""Affine numbers: code = clip(round(x / scale) + zero_point), x' = scale * (code - zero_point).

Parameters follow one shape rule. The last axis of `scale` has m entries, m divides d, each entry
serves d / m consecutive columns; an optional leading axis has 1 or n entries. So a scale of shape
(1,) serves the tensor, (d,) each dimension, (d/g,) groups of g columns, (n, 1) each vector and
(n, d/g) the groups of each vector (block-quantized weights).

Codes are int8 in [-(2^(b-1)-1), 2^(b-1)-1] where symmetric and uint8 in [0, 2^b-1] otherwise, the
convention of ONNX QuantizeLinear and of torch.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import MAX_ABS, Floats, as_count, as_matrix
from fewbits.errors import InputError
from fewbits.numerics.granularity import expand
from fewbits.numerics.rounding import noise, stochastic

Codes: TypeAlias = NDArray[np.int8] | NDArray[np.uint8]
Rounding: TypeAlias = Literal["nearest", "stochastic"]

# |x| <= 1e15 over this stays below the largest float32, and the scale itself is never subnormal.
MIN_SCALE = np.float32(2.0**-78)


def code_range(bits: int, symmetric: bool) -> tuple[int, int]:
    """Return the lowest and highest code: (-127, 127) or (0, 255) at 8 bits.

    Raises:
        InputError: bits not in 2..8 (symmetric) or 1..8 (asymmetric).
    """
    least = 2 if symmetric else 1
    width = as_count(bits, "bits", least=least)
    if width > 8:
        raise InputError(f"bits must be {least} to 8, got {width}")
    if symmetric:
        top = 2 ** (width - 1) - 1
        return -top, top
    return 0, 2**width - 1


def qparams(
    low: ArrayLike, high: ArrayLike, *, bits: int, symmetric: bool
) -> tuple[Floats, NDArray[np.int32]]:
    """Return (scale float32, zero_point int32) whose codes cover [low, high].

    Symmetric: scale = max(|low|, |high|) / (2^(b-1)-1), zero_point 0. Asymmetric: the range is
    widened to hold 0, scale = (high - low) / (2^b-1), zero_point = round(-low / scale), so that 0
    is decoded exactly. A range of nothing but 0 gets scale 1; scales are at least 2^-78.

    Args:
        low: finite floats of any shape, one per channel.
        high: the same shape, low <= high.
        bits: 2..8 symmetric, 1..8 asymmetric.
        symmetric: which of the two forms.

    Raises:
        InputError: shapes differ, not finite, beyond 1e15, low > high, or bits out of range.
    """
    bottom, top = _as_bounds(low, high)
    lowest, highest = code_range(bits, symmetric)
    if symmetric:
        span = np.maximum(np.abs(bottom), np.abs(top)) / highest
    else:
        bottom, top = np.minimum(bottom, 0), np.maximum(top, 0)
        span = (top - bottom) / highest
    scale = np.maximum(span.astype(np.float32), MIN_SCALE)
    scale[span == 0] = 1
    if symmetric:
        return scale, np.zeros(scale.shape, dtype=np.int32)
    zero = np.clip(np.rint(-bottom / scale), lowest, highest)
    return scale, zero.astype(np.int32)


def quantize(
    x: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike = 0,
    *,
    bits: int,
    symmetric: bool,
    rounding: Rounding = "nearest",
    seed: int = 0,
) -> Codes:
    """Return codes (n, d), int8 where symmetric and uint8 otherwise; what does not fit saturates.

    codes = clip(round(x / scale) + zero_point), the quotient in float32, ties to even; where
    stochastic, round(t) = floor(t + u), u keyed on (seed, row).

    Args:
        x: (n, d) finite floats.
        scale: positive floats, shaped by the rule of this module.
        zero_point: integers that broadcast with `scale`; 0 where symmetric.
        bits: 2..8 symmetric (signed codes around 0), 1..8 asymmetric (unsigned codes).
        symmetric: which of the two forms.
        rounding: "nearest", or "stochastic" with noise keyed on `seed`.
        seed: 0 <= seed < 2^64.

    Raises:
        InputError: any argument out of its range or shape.
    """
    rows = as_matrix(x)
    lowest, highest = code_range(bits, symmetric)
    if rounding not in ("nearest", "stochastic"):
        raise InputError(f"rounding must be 'nearest' or 'stochastic', got {rounding!r}")
    steps, zero = _as_divisor(scale, zero_point, rows.shape, (lowest, highest))
    levels = rows / steps
    if rounding == "stochastic":
        levels = stochastic(levels, noise(rows, seed))
    else:
        np.rint(levels, out=levels)
    levels += zero
    np.clip(levels, lowest, highest, out=levels)
    return levels.astype(np.int8) if symmetric else levels.astype(np.uint8)


def dequantize(codes: Codes, scale: ArrayLike, zero_point: ArrayLike = 0) -> Floats:
    """Return `scale * (codes - zero_point)` as float32 (n, d); a scale may be 0 here.

    Raises:
        InputError: codes are no (n, d) int8 or uint8 matrix, or the parameters do not fit them.
    """
    matrix = np.asarray(codes)
    if matrix.ndim != 2 or matrix.dtype not in (np.int8, np.uint8):
        raise InputError(
            f"codes must be int8 or uint8 (n, d), got {matrix.dtype} of shape {matrix.shape}"
        )
    limits = (0, 255) if matrix.dtype == np.uint8 else (-127, 127)
    steps, zero = _as_params(scale, zero_point, matrix.shape, limits)
    decoded: Floats = (matrix.astype(np.float32) - zero) * steps
    return decoded


def fake_quantize(
    x: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike = 0,
    *,
    bits: int,
    symmetric: bool,
    rounding: Rounding = "nearest",
    seed: int = 0,
) -> Floats:
    """Return `dequantize(quantize(x))`: float32 (n, d) restricted to the representable values."""
    codes = quantize(
        x, scale, zero_point, bits=bits, symmetric=symmetric, rounding=rounding, seed=seed
    )
    return dequantize(codes, scale, zero_point)


def clipped_fraction(
    x: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike = 0,
    *,
    bits: int,
    symmetric: bool,
) -> float:
    """Return the share of values, 0 to 1, whose nearest level lies beyond the last code."""
    rows = as_matrix(x)
    lowest, highest = code_range(bits, symmetric)
    steps, zero = _as_divisor(scale, zero_point, rows.shape, (lowest, highest))
    levels = np.rint(rows / steps) + zero
    outside = np.count_nonzero(levels < lowest) + np.count_nonzero(levels > highest)
    return outside / max(1, rows.size)


def _as_bounds(low: ArrayLike, high: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    bottom = np.atleast_1d(np.asarray(low, dtype=np.float32)).astype(np.float64)
    top = np.atleast_1d(np.asarray(high, dtype=np.float32)).astype(np.float64)
    if bottom.shape != top.shape:
        raise InputError(f"low and high must have one shape, got {bottom.shape} and {top.shape}")
    for name, bound in (("low", bottom), ("high", top)):
        if not np.all(np.abs(bound) <= MAX_ABS):
            raise InputError(f"{name} must be finite and within +-1e15, got {bound}")
    if np.any(bottom > top):
        where = int(np.argmax((bottom > top).ravel()))
        raise InputError(
            f"low must not exceed high, got {bottom.flat[where]:g} > {top.flat[where]:g} "
            f"at channel {where}"
        )
    return bottom, top


def _as_params(
    scale: ArrayLike, zero_point: ArrayLike, shape: tuple[int, ...], limits: tuple[int, int]
) -> tuple[Floats, Floats]:
    steps = np.asarray(scale, dtype=np.float32)
    if not (np.all(steps >= 0) and np.all(np.isfinite(steps))):
        raise InputError("scale must be positive and finite; take it from qparams(low, high)")
    zero: NDArray[Any] = np.asarray(zero_point)
    if zero.dtype.kind not in "iu":
        raise InputError(f"zero_point must hold integers, got {zero.dtype}")
    least, most = limits if limits[0] == 0 else (0, 0)
    if zero.size and not (zero.min() >= least and zero.max() <= most):
        raise InputError(f"zero_point must lie in {least}..{most} for these codes")
    return (
        _fit_shape(steps, shape, "scale"),
        _fit_shape(zero.astype(np.float32), shape, "zero_point"),
    )


def _as_divisor(
    scale: ArrayLike, zero_point: ArrayLike, shape: tuple[int, ...], limits: tuple[int, int]
) -> tuple[Floats, Floats]:
    steps, zero = _as_params(scale, zero_point, shape, limits)
    if not np.all(steps > 0):
        raise InputError("scale must be positive to divide by; take it from qparams(low, high)")
    return steps, zero


def _fit_shape(params: Floats, shape: tuple[int, ...], name: str) -> Floats:
    n, d = shape
    if params.ndim > 2 or (params.ndim == 2 and params.shape[0] not in (1, n)):
        raise InputError(f"{name} must be (m,), (1, m) or ({n}, m), got {params.shape}")
    return expand(params, d, name)
