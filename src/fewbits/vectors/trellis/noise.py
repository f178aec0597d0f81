"""How far a score may be off: what decides how many candidates deserve a second look."""

from __future__ import annotations

import numpy as np

from fewbits.arrays import Floats
from fewbits.vectors.trellis.plan import BASIS_UNIT, TrellisPlan
from fewbits.vectors.trellis.tables import DISTORTION


def score_noise(q: Floats, plan: TrellisPlan) -> Floats:
    """Return the standard deviation of score errors for each query, float32 (nq,).

    The error of a decoded vector has variance DISTORTION[bits] * sigma**2 along a coded column,
    and what no column holds is spread over the other directions:
    noise**2 = |r|**2 (sum_j g_j**2 sigma_j**2 D_j + (|q|**2 - |g|**2) v), g = basis q.
    """
    error, rest = _errors(plan)
    g = q @ _directions(plan)
    length = np.einsum("ij,ij->i", q, q)
    outside = np.maximum(length - np.einsum("ij,ij->i", g, g), 0)
    variance = (g * g) @ error + outside * rest
    if plan.metric == "cosine":
        variance = variance / np.maximum(length, np.finfo(np.float32).tiny)
    factor = 2.0 if plan.metric == "l2" else 1.0
    return np.asarray(factor * plan.residual_norm * np.sqrt(variance), dtype=np.float32)


def residual_deviation(q: Floats, plan: TrellisPlan) -> Floats:
    """Return the standard deviation of <q, residual> over rows (l2: of twice that), float32 (nq,).

    Queries are normalised already where the metric asks for it; axes without bits are left out.
    """
    spread = (q @ _directions(plan)) * plan.sigma
    factor = 2.0 if plan.metric == "l2" else 1.0
    length = np.sqrt(np.einsum("ij,ij->i", spread, spread))
    return np.asarray(factor * plan.residual_norm * length, dtype=np.float32)


def _directions(plan: TrellisPlan) -> Floats:
    """The basis as floats, (d, m); kept with the plan, as every search asks for it."""
    kept: Floats | None = plan.__dict__.get("_directions")
    if kept is None:
        kept = np.ascontiguousarray(plan.basis.T.astype(np.float32) / np.float32(BASIS_UNIT))
        object.__setattr__(plan, "_directions", kept)
    return kept


def _errors(plan: TrellisPlan) -> tuple[Floats, float]:
    """Return the error variance of each column (m,), and that of every direction outside them."""
    kept: tuple[Floats, float] | None = plan.__dict__.get("_errors")
    if kept is None:
        sigma2 = plan.sigma.astype(np.float64) ** 2
        error = sigma2 * np.array([DISTORTION[w] for w in plan.bits.tolist()])
        real = int(np.count_nonzero(plan.sigma))
        rest = max(0.0, 1.0 - float(sigma2.sum())) / max(1, plan.d - real)
        kept = error.astype(np.float32), rest
        object.__setattr__(plan, "_errors", kept)
    return kept
