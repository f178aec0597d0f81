"""From calibration rows to a plan: centroids, axes, bits, and the ranges of the scalars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.vectors.form import Metric
from fewbits.vectors.lanes import Doubles, lane_dot
from fewbits.vectors.trellis.allocation import allocate
from fewbits.vectors.trellis.budget import Budget
from fewbits.vectors.trellis.plan import BASIS_UNIT, GROUP, TrellisPlan

_QUANTILES = (0.001, 0.999)  # of the scalars over the calibration rows
_MARGIN = 0.1  # by which their range is widened on both sides


def unit_rows(r: Floats) -> tuple[Floats, float]:
    """Return (rows of unit length without the zero ones, root mean square length)."""
    squares = lane_dot(r, r)
    some = squares > 0
    unit = r[some].astype(np.float64) / np.sqrt(squares[some])[:, None]
    mean = float(squares.mean()) if len(squares) else 0.0
    return unit.astype(np.float32), float(np.sqrt(mean))


def build(
    axes: Doubles, variance: Doubles, centroids: Floats, metric: Metric, budget: Budget
) -> TrellisPlan:
    """Return a plan whose scalars are float32, from axes (d, d) and variances of unit rows.

    The bits go where variance ** (1 + exponent) is largest. Inside a width, columns are stored by
    ascending importance: the forced start state then meets the least important ones.
    """
    d = len(variance)
    importance = np.zeros(-(-d // GROUP) * GROUP)
    importance[:d] = variance ** (1 + budget.exponent)
    widths = allocate(importance[: GROUP * budget.groups], budget.code_bytes)
    total = importance.reshape(-1, GROUP).sum(axis=1)
    coded = np.flatnonzero(widths)
    order = coded[np.lexsort((total[coded], widths[coded]))]
    columns = (order[:, None] * GROUP + np.arange(GROUP)[::-1]).ravel()
    real = columns < d
    basis = np.zeros((len(columns), d), dtype=np.int16)
    basis[real] = np.rint(_unit(axes[columns[real]]) * BASIS_UNIT)
    sigma = np.zeros(len(columns), dtype=np.float32)
    sigma[real] = np.sqrt(variance[columns[real]])
    return TrellisPlan(
        metric=metric,
        basis=basis,
        sigma=sigma,
        widths=widths[order],
        centroids=np.ascontiguousarray(centroids, dtype=np.float32),
        mh=along(basis, centroids),
        rest_weight=_rest_weight(variance, columns[real]),
        scalar_bytes=4,
        s_low=0.0,
        s_step=1.0,
        b_low=0.0,
        b_step=1.0,
        residual_norm=1.0,
    )


def along(basis: NDArray[np.int16], centroids: Floats) -> Floats:
    """Return the centroids' coordinates, float32 (L, m)."""
    exact = centroids.astype(np.float64) @ basis.T.astype(np.float64)
    return np.ascontiguousarray((exact / BASIS_UNIT).astype(np.float32))


def with_ranges(plan: TrellisPlan, scalar_bytes: int, s: Doubles, b: Doubles) -> TrellisPlan:
    """Return the plan with ranges for its stored scalars, from those of the calibration rows."""
    if scalar_bytes == 4:
        return plan
    if scalar_bytes == 2:
        return plan.replaced(scalar_bytes=2, s_step=_binary_unit(s), b_step=_binary_unit(b))
    s_low, s_step = _affine(s)
    b_low, b_step = _affine(b)
    return plan.replaced(scalar_bytes=1, s_low=s_low, s_step=s_step, b_low=b_low, b_step=b_step)


def _unit(rows: Doubles) -> Doubles:
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return np.asarray(rows / lengths)


def _rest_weight(variance: Doubles, coded: NDArray[np.int64]) -> float:
    """Mean sigma over the energy outside the coded columns."""
    rest = np.delete(variance, coded)
    energy = float(rest.sum())
    return float((rest * np.sqrt(rest)).sum() / energy) if energy > 0 else 0.0


def _affine(values: Doubles) -> tuple[float, float]:
    """Return (low, step) of 256 levels over the widened range of values."""
    low, high = (float(v) for v in np.quantile(values, _QUANTILES))
    widened = max((high - low) * (1 + 2 * _MARGIN), 1e-6 * max(abs(low), abs(high))) or 1.0
    return float(np.float32((low + high - widened) / 2)), float(np.float32(widened / 255))


def _binary_unit(values: Doubles) -> float:
    """Return the power of two that brings the median magnitude near 1."""
    typical = float(np.median(np.abs(values)))
    return float(2.0 ** np.clip(np.floor(np.log2(typical)), -100, 100)) if typical > 0 else 1.0
