"""The one range of a static linear: what an observer makes of its smoothed inputs.

The inputs x are divided by factors s first, then one scale and zero-point serve all of them:

    code = clip(round(x[i] / (scale * s[i])) + zero_point, 0, 255)
"""

from __future__ import annotations

import numpy as np

from fewbits.arrays import Floats
from fewbits.models.inputs import Inputs
from fewbits.models.tensors import Activation
from fewbits.numerics import observer, qparams

_BLOCK = 64  # rows whose extremes a moving average takes as one


def static_activation(
    inputs: Inputs, smooth: Floats, *, name: str = "minmax", symmetric: bool = False
) -> Activation:
    """Return the range of `inputs` divided by `smooth`, as the observer called `name` finds it.

    "minmax" reads the exact extremes of all rows, the others the sample of `Inputs`, the moving
    average in blocks of 64 rows.

    Args:
        inputs: what was seen of the linear's inputs, at least one row.
        smooth: float32 (k,), positive factors.
        name: an observer of `fewbits.numerics`.
        symmetric: whether the zero-point is 128 and the range goes as far down as up.

    Raises:
        InputError: an unknown observer.
    """
    watching = observer(name)
    if name == "minmax":
        watching.update(np.stack([inputs.low, inputs.high]) / smooth)
    else:
        rows = inputs.rows
        block = _BLOCK if name == "moving_average" else len(rows)
        for start in range(0, len(rows), block):
            watching.update(rows[start : start + block] / smooth)
    low, high = watching.range(bits=8, symmetric=symmetric)
    scale, zero = qparams(low, high, bits=8, symmetric=symmetric)
    zero_point = 128 if symmetric else int(zero[0])
    inverse = (1 / (scale[0] * smooth)).astype(np.float32)
    return Activation("static", symmetric, float(scale[0]), zero_point, inverse)
