"""Weight matrices in the order in which the kernels read them.

A linear's (n, k) weights lie in panels of 16 output channels, missing channels and inputs zeros:

    floats (panels, k, 16)               value of channel j, input i at [j // 16, i, j % 16]
    int8   (panels, quads, 16, 4)        at [j // 16, i // 4, j % 16, i % 4]

One layout serves every CPU level, so that it can lie on disk and be mapped into memory as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PANEL = 16
QUAD = 4


def pack_panels(weights: NDArray[Any]) -> NDArray[Any]:
    """Return (n, k) values as panels: int8 in quads, everything else input by input."""
    n, k = weights.shape
    quad = QUAD if weights.dtype == np.int8 else 1
    padded = np.zeros((-(-n // PANEL) * PANEL, -(-k // quad) * quad), dtype=weights.dtype)
    padded[:n, :k] = weights
    shape = (len(padded) // PANEL, PANEL, padded.shape[1] // quad, quad)
    panels = padded.reshape(shape).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(panels if quad > 1 else panels[..., 0])


def unpack_panels(panels: NDArray[Any], n: int, k: int) -> NDArray[Any]:
    """Return the (n, k) values of `panels`, a copy."""
    quads = panels if panels.ndim == 4 else panels[..., None]
    values = quads.transpose(0, 2, 1, 3).reshape(len(panels) * PANEL, -1)
    return np.ascontiguousarray(values[:n, :k])


def panels_shape(weights: str, n: int, k: int) -> tuple[int, ...]:
    """Return the shape of an (n, k) linear's panels in a weight format of `Recipe`."""
    count = -(-n // PANEL)
    return (count, -(-k // QUAD), PANEL, QUAD) if weights == "int8" else (count, k, PANEL)
