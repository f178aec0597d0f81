"""Plans of integer arithmetic alone: no fit, so that they are the same bits on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from fewbits.vectors import Trellis
from fewbits.vectors.trellis.remainder import TrellisRemainder

WIDTHS = (1, 2, 3, 4, 6, 8, 12)


def integers(n: int, d: int, shift: int = 0) -> np.ndarray:
    """Return int64 (n, d), -1019 to 1019."""
    i, j = np.arange(shift, shift + n)[:, None], np.arange(d)[None, :]
    return (i * 7919 + j * 104_729 + i * j * 31 + (i * i) % 257 * (j % 13)) % 2039 - 1019


def rows(n: int, d: int, shift: int = 0) -> np.ndarray:
    """Return float32 (n, d) of small dyadic fractions."""
    return (integers(n, d, shift) / 256).astype(np.float32)


def learned_state(
    d: int = 56, *, lists: int = 3, scalar_bytes: int = 2, widths: tuple[int, ...] = WIDTHS
) -> dict[str, Any]:
    """Return what a fit could have learned: signed unit axes, the last group not full."""
    m = 8 * len(widths)
    basis = np.zeros((m, d), dtype=np.int16)
    real = np.arange(min(m, d))
    basis[real, (real * 5 + 3) % d] = np.where(real % 3 == 0, -32_767, 32_767)
    sigma = np.zeros(m, dtype=np.float32)
    sigma[real] = ((1 + real % 32) / 256).astype(np.float32)
    centroids = rows(lists, d, 31) / np.float32(8)
    low, step = (0.0, 1 / 8) if scalar_bytes == 1 else (0.0, 0.5)
    return {
        "dims": d,
        "calibration_rows": 300,
        "basis": basis,
        "sigma": sigma,
        "widths": np.array(widths, dtype=np.uint8),
        "centroid_table": centroids,
        "mh": (rows(lists, m, 77) / np.float32(64)),
        "rest_weight": 0.0625,
        "s_low": low,
        "s_step": step,
        "b_low": -4.0 if scalar_bytes == 1 else 0.0,
        "b_step": 1 / 16,
        "residual_norm": 2.0,
        "bytes_per_scalar": scalar_bytes,
        "fit_distortion": 0.125,
    }


def quantizer_of(metric: str, **shape: Any) -> Trellis:
    """Return a quantizer with `learned_state(**shape)`."""
    return Trellis(metric=metric, centroids=shape.get("lists", 3)).with_state(
        learned_state(**shape)
    )


def remainder_of(metric: str, first: Trellis, **shape: Any) -> TrellisRemainder:
    """Return a second tier that follows `first`."""
    state = learned_state(lists=1, **shape)
    state["centroid_table"] = np.zeros_like(state["centroid_table"])
    state["mh"] = np.zeros_like(state["mh"])
    second = TrellisRemainder(metric=metric).with_state(state)
    second.follow(first)
    return second
