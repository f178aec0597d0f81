"""Weights on the grids {-s, 0, s} and {-s, s}: a sign per weight and one scale for many.

`granularity` says how many: "vector" (one scale per row, shape (n, 1)), "group:g" (per g columns of
a row, shape (n, d/g)) or "tensor" (shape (1,)). All return (codes int8 (n, d), scale float32), and
`affine.dequantize(codes, scale)` decodes them.

With rounding="stochastic" the scale is the same and the codes are unbiased inside [-s, s]: ternary
codes are floor(clip(w/s, -1, 1) + u), binary ones +1 with probability clip((w/s + 1) / 2, 0, 1);
u is keyed on (seed, row).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Floats, as_matrix
from fewbits.errors import InputError
from fewbits.numerics.affine import Rounding
from fewbits.numerics.granularity import Granularity
from fewbits.numerics.rounding import noise, stochastic

Grid: TypeAlias = tuple[NDArray[np.int8], Floats]


def ternary_twn(
    w: ArrayLike,
    granularity: str | Granularity = "vector",
    *,
    rounding: Rounding = "nearest",
    seed: int = 0,
) -> Grid:
    """Return the ternary codes and scale of least squared error, exactly.

    The k largest magnitudes are kept where k maximises (sum of the top k |w|)^2 / k; the scale is
    their mean. This is the problem that Ternary Weight Networks (Li et al., arXiv 1605.04711) solve
    approximately with the threshold 0.7 mean|w|. A row of zeros gets codes 0 and scale 1.

    Args:
        w: (n, d) finite floats.
        granularity: "vector", "group:g" or "tensor".
        rounding: "nearest" (the optimum) or "stochastic" (unbiased within the scale).
        seed: key of the stochastic noise.

    Raises:
        InputError: `w` is no finite matrix with rows, or another argument is unknown.
    """
    rows, cells = _as_cells(w, granularity)
    sizes = np.abs(cells)
    ordered = -np.sort(-sizes, axis=1)
    sums = np.cumsum(ordered, axis=1, dtype=np.float64)
    counts = np.arange(1, cells.shape[1] + 1)
    last = np.argmax(sums * sums / counts, axis=1)[:, None]
    means = np.take_along_axis(sums, last, axis=1) / (last + 1)
    scale = _nonzero(means.astype(np.float32))
    kept = sizes >= np.take_along_axis(ordered, last, axis=1)
    codes = np.where(kept, np.sign(cells), 0)
    return _finish(rows, cells, codes, scale, granularity, rounding, seed)


def ternary_absmean(
    w: ArrayLike,
    granularity: str | Granularity = "tensor",
    *,
    rounding: Rounding = "nearest",
    seed: int = 0,
) -> Grid:
    """Return ternary codes clip(round(w / s), -1, 1) with scale s = mean |w|.

    The grid of BitNet b1.58 (Ma et al., arXiv 2402.17764), whose paper takes one scale per tensor.
    A row of zeros gets codes 0 and scale 1. Arguments and errors as for `ternary_twn`.
    """
    rows, cells = _as_cells(w, granularity)
    scale = _nonzero(_absmean(cells))
    codes = np.clip(np.rint(cells.astype(np.float64) / scale), -1, 1)
    return _finish(rows, cells, codes, scale, granularity, rounding, seed)


def binary_xnor(
    w: ArrayLike,
    granularity: str | Granularity = "vector",
    *,
    rounding: Rounding = "nearest",
    seed: int = 0,
) -> Grid:
    """Return codes +1 where w > 0, else -1, with scale s = mean |w|.

    The optimum for a grid of two values (XNOR-Net, Rastegari et al., arXiv 1603.05279). A row of
    zeros gets codes -1 and scale 0, since no other scale decodes it to zeros. Arguments and errors
    as for `ternary_twn`.
    """
    rows, cells = _as_cells(w, granularity)
    scale = _absmean(cells)
    if rounding == "stochastic":
        share = (cells.astype(np.float64) / _nonzero(scale) + 1) / 2
        up = _noise(rows, cells, seed) < share  # u < 1, so that a share of 1 always goes up
        up &= scale > 0
    else:
        _check_rounding(rounding)
        up = cells > 0
    codes = np.where(up, 1, -1).astype(np.int8)
    return codes.reshape(rows.shape), _shape_scale(scale, rows, granularity)


def _finish(
    rows: Floats,
    cells: Floats,
    codes: NDArray[np.floating],
    scale: Floats,
    granularity: str | Granularity,
    rounding: Rounding,
    seed: int,
) -> Grid:
    _check_rounding(rounding)
    if rounding == "stochastic":
        levels = np.clip(cells.astype(np.float64) / scale, -1, 1)
        codes = stochastic(levels, _noise(rows, cells, seed))
    return codes.astype(np.int8).reshape(rows.shape), _shape_scale(scale, rows, granularity)


def _as_cells(w: ArrayLike, granularity: str | Granularity) -> tuple[Floats, Floats]:
    """Return w as (n, d) and as (cells, size), one row per scale."""
    rows, grain = as_matrix(w, "w"), Granularity.parse(granularity)
    if not len(rows):
        raise InputError(f"w must have at least one row, got {rows.shape}")
    if grain.kind == "dimension":
        raise InputError("granularity must be vector, group:g or tensor; for columns pass w.T")
    if grain.kind == "tensor":
        return rows, rows.reshape(1, -1)
    return rows, rows.reshape(len(rows) * grain.channels(rows.shape[1]), -1)


def _shape_scale(scale: Floats, rows: Floats, granularity: str | Granularity) -> Floats:
    if Granularity.parse(granularity).kind == "tensor":
        return scale.reshape(1)
    return scale.reshape(len(rows), -1)


def _noise(rows: Floats, cells: Floats, seed: int) -> Floats:
    return noise(rows, seed).reshape(cells.shape)


def _absmean(cells: Floats) -> Floats:
    means: Floats = np.abs(cells).mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    return means


def _nonzero(scale: Floats) -> Floats:
    return np.where(scale > 0, scale, np.float32(1))


def _check_rounding(rounding: str) -> None:
    if rounding not in ("nearest", "stochastic"):
        raise InputError(f"rounding must be 'nearest' or 'stochastic', got {rounding!r}")
