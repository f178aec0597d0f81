"""Factors that move the outliers of a linear's inputs into its weights.

    s[i] = max|x[i]|^a / max|w[., i]|^(1 - a),    W x = (W diag(s)) (x / s)

(Xiao et al., SmoothQuant, 2023). The factors are scaled to a geometric mean of 1, which changes no
code. Behind a layer norm that also feeds a residual they cannot go into the norm; here the division
is part of the step that makes codes, so that it costs nothing and fits every linear.

With a = 1 every outlier has a range of its own and the weights bear all differences; a = 0 is the
other way round. The best a differs by linear (0.7 to 1 in all-MiniLM-L6-v2), so it is searched.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fewbits.arrays import Floats
from fewbits.models.inputs import Inputs
from fewbits.models.quantized import activation_codes
from fewbits.models.ranges import static_activation
from fewbits.models.recipe import Row
from fewbits.models.tensors import Activation
from fewbits.models.weights import int8_scales

EXPONENTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""What the search tries, besides no smoothing at all."""

_ROWS = 512  # of the sample, on which the search compares outputs
# A smaller exponent leaves the rarer inputs more room beyond what the calibration texts showed, so
# it wins unless its error is clearly larger. Worst cosine to float32 of 388 texts that were seen to
# be hard, all-MiniLM-L6-v2: 0.987 at 1.0, 0.993 at 1.15, 0.991 at 1.3.
_TOLERANCE = 1.15
# Static ranges hold only what calibration saw, and an input that was quiet there may speak up in
# another text: 0.69 in 512 passages, 5.7 in "A woman is exercising." All inputs therefore keep the
# room that nine in ten stay below; only the outliers above it get a range of their own. Worst
# cosine of 2,000 passages, titles and sentences: 0.976 without this, 0.994 with it.
_USUAL = 0.9
_FLOOR = np.float32(2.0**-10)  # of the largest: an input silent in calibration keeps some range


class Smoothed(NamedTuple):
    """A choice of factors and the range that goes with it.

    Attributes:
        exponent: a, or None for factors of 1.
        smooth: float32 (k,), the factors.
        activation: how the linear takes its inputs.
        error: squared error of the output over the squared output, on sampled rows, means taken
            out of both: what a corrected bias cannot mend. Not known where nothing was searched.
    """

    exponent: float | None
    smooth: Floats
    activation: Activation
    error: float | None = None


def smooth_factors(reach: Floats, w: Floats, exponent: float) -> Floats:
    """Return the factors s, float32 (k,), positive, of geometric mean 1.

    Inputs that hardly occur and inputs that hardly count are taken to reach 2^-10 of the largest,
    so that no factor is 0.

    Args:
        reach: (k,), max |x| of every input.
        w: (n, k) weights.
        exponent: a, 0 to 1: how much of the outliers moves from inputs to weights.
    """
    inputs, weights = _logarithms(reach), _logarithms(np.abs(w).max(axis=0))
    powers = exponent * inputs - (1 - exponent) * weights
    factors: Floats = np.exp(powers - powers.mean()).astype(np.float32)
    return factors


def smooth_static(inputs: Inputs, w: Floats, row: Row) -> Smoothed:
    """Return factors and range of a static linear, as its recipe row says.

    A number in `row.smooth` is the exponent, 0 for none. "search" compares no smoothing and all
    `EXPONENTS` by the output error |W' Q(x / s) - W x|^2 on up to 512 sampled rows, W' = W diag(s)
    as int8 codes stand for it, and takes the least exponent whose error is within 15 % of the best.

    Args:
        inputs: what calibration kept of the linear's inputs.
        w: float32 (n, k) weights.
        row: the observer, the symmetry, the exponent.
    """
    if row.smooth != "search":
        return _smoothed(inputs, w, row, float(row.smooth) or None)
    choices = (_smoothed(inputs, w, row, exponent) for exponent in (None, *EXPONENTS))
    x = inputs.rows[:: -(-len(inputs.rows) // _ROWS)]
    measured = [(output_error(x, w, choice), choice) for choice in choices]
    limit = _TOLERANCE * min(error for error, _ in measured)
    error, chosen = next(pair for pair in measured if pair[0] <= limit)
    return chosen._replace(error=error)


def output_error(x: Floats, w: Floats, choice: Smoothed) -> float:
    """Return the relative squared error of the output, see `Smoothed`, on rows x (n, k)."""
    carried = w * choice.smooth
    scale = int8_scales(carried, "none")[:, None]
    rounded = np.rint(carried / scale) * scale
    wanted: Floats = x @ w.T
    off = decoded(x, choice.activation) @ rounded.T - wanted
    off -= off.mean(axis=0)
    wanted -= wanted.mean(axis=0)
    return float(np.vdot(off, off)) / max(float(np.vdot(wanted, wanted)), 1e-30)


def decoded(x: Floats, taken: Activation) -> Floats:
    """Return what the static codes of rows x (n, k) stand for: x / smooth, rounded and clipped."""
    codes, scale, zero = activation_codes(x, taken)
    return (codes.astype(np.float32) - zero[:, None].astype(np.float32)) * scale[:, None]


def _smoothed(inputs: Inputs, w: Floats, row: Row, exponent: float | None) -> Smoothed:
    if exponent is None:
        smooth = np.ones(w.shape[1], dtype=np.float32)
    else:
        usual = np.quantile(inputs.absmax, _USUAL).astype(np.float32)
        smooth = smooth_factors(np.maximum(inputs.absmax, usual), w, exponent)
    taken = static_activation(inputs, smooth, name=row.observer, symmetric=row.symmetric)
    return Smoothed(exponent, smooth, taken)


def _logarithms(reach: Floats) -> Floats:
    largest = reach.max(initial=0)
    floor = _FLOOR * largest if largest > 0 else np.float32(1)
    return np.log(np.maximum(reach, floor))
