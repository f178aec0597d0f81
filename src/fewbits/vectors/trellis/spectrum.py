"""Principal axes of calibration rows, and how much variance each really has."""

from __future__ import annotations

import numpy as np

from fewbits.arrays import Floats
from fewbits.vectors.lanes import Doubles

_FOLDS = 3
_ENOUGH = 6  # rows per dimension above which the sample's own variances can be trusted
_FLOOR = 1e-4  # least variance of an axis in units of the mean


def principal_axes(r: Floats) -> tuple[Doubles, Doubles]:
    """Return (axes (d, d), one per row; variances (d,), descending) of centred rows (n, d).

    With few rows the eigenvalues of the sample flatter its leading axes. Then each axis gets the
    variance that rows left out of its estimate have along it, in three folds, made to descend.
    """
    n, d = r.shape
    values, axes = _eigen(r)
    if n < _ENOUGH * d:
        values = _held_out(r)
    floor = max(_FLOOR * float(values.mean()), np.finfo(np.float64).tiny)
    return axes, np.maximum(values, floor)


def random_axes(d: int, seed: int) -> Doubles:
    """Return a random rotation (d, d): the Q of a Gaussian matrix, signs made uniform."""
    gauss = np.random.default_rng([seed, d]).standard_normal((d, d))
    q, r = np.linalg.qr(gauss)
    return np.asarray((q * np.sign(np.diag(r))).T)


def _eigen(r: Floats) -> tuple[Doubles, Doubles]:
    """Eigenvalues, descending, and eigenvectors as rows, of the covariance around 0."""
    wide = r.astype(np.float32)
    covariance = (wide.T @ wide).astype(np.float64) / len(r)
    values, vectors = np.linalg.eigh(covariance)
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1].T


def _held_out(r: Floats) -> Doubles:
    fold = np.random.default_rng(0).permutation(len(r)) % _FOLDS
    total = np.zeros(r.shape[1])
    for number in range(_FOLDS):
        inside, outside = r[fold != number], r[fold == number]
        if len(inside) == 0 or len(outside) == 0:
            continue
        mean = inside.mean(axis=0, dtype=np.float64).astype(np.float32)
        _, axes = _eigen(inside - mean)
        along = (outside - mean).astype(np.float64) @ axes.T
        total += (along * along).mean(axis=0)
    return np.asarray(np.maximum.accumulate(total[::-1])[::-1] / _FOLDS)
