"""The native kernels behind numpy signatures, and the choice of the CPU level.

`FEWBITS_SIMD=scalar|avx2|avx512|neon` picks a level when the package is imported; without it the
best one that this machine has is used. Every level returns the same bits.
"""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from fewbits import _native
from fewbits.arrays import Bytes, Floats, as_count
from fewbits.errors import KernelError
from fewbits.vectors.form import METRICS, PACKINGS, STEP_RULES, LinearForm


def simd_levels() -> list[str]:
    """Return the CPU levels usable here, slowest first."""
    return list(_native.levels())


def simd_level() -> str:
    """Return the CPU level in use."""
    return str(_native.level())


def set_simd_level(level: str) -> None:
    """Use the kernels of one CPU level from now on, in all threads.

    Raises:
        KernelError: this build or machine does not have the level.
    """
    if level not in simd_levels():
        raise KernelError(f"SIMD level must be one of {', '.join(simd_levels())}, got {level!r}")
    _native.set_level(level)


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use: the one asked for, or the cores this process may use."""
    if threads is not None:
        return as_count(threads, "threads", least=1)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def encode(x: Floats, form: LinearForm, threads: int = 1) -> Bytes:
    """Return code rows uint8 (n, code_size), rounded half to even."""
    return _native.encode(_native_form(form), x, threads)


def score(q: Floats, codes: Bytes, form: LinearForm, threads: int = 1) -> Floats:
    """Return scores float32 (nq, n)."""
    return _native.score_all(_native_form(form), codes, q, threads)


def score_rows(
    q: Floats, codes: Bytes, rows: NDArray[np.int64], form: LinearForm, threads: int = 1
) -> Floats:
    """Return float32 (nq, m), the scores of the code rows rows[i, :]; -inf where negative."""
    return _native.score_rows(_native_form(form), codes, q, rows, threads)


def search(
    q: Floats,
    codes: Bytes,
    form: LinearForm,
    k: int,
    rows: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return (scores, rows) of the k best, each (nq, min(k, candidates)), best first.

    `rows` are the candidates, ascending; None means all. Equal scores: the lower row first.
    """
    return _native.search(_native_form(form), codes, q, rows, k, threads)


def _native_form(form: LinearForm) -> _native.Form:
    cached: _native.Form | None = form.__dict__.get("_native")
    if cached is None:
        cached = _native.Form(
            packing=PACKINGS.index(form.packing),
            metric=METRICS.index(form.metric),
            step_rule=STEP_RULES.index(form.step_rule),
            d=form.d,
            gain=form.gain,
            planes=form.planes,
            correct=form.correct,
            hamming=form.hamming,
            alpha=form.alpha,
            beta=form.beta,
            nu=form.nu,
            low=form.low,
            high=form.high,
            high_c=form.high_c,
            rms_factor=form.rms_factor,
            mean=form.mean,
            step=form.step,
            zero=form.zero,
        )
        object.__setattr__(form, "_native", cached)
    return cached


def _choose_from_environment() -> None:
    wanted = os.environ.get("FEWBITS_SIMD")
    if not wanted:
        return
    if wanted not in simd_levels():
        raise KernelError(
            f"FEWBITS_SIMD={wanted!r} is not available here; unset it or use one of "
            f"{', '.join(simd_levels())}"
        )
    _native.set_level(wanted)


_choose_from_environment()
