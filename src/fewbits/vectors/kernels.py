"""The native kernels behind numpy signatures, and the choice of the CPU level.

`FEWBITS_SIMD=scalar|avx2|avx512|neon` picks a level when the package is imported; without it the
best one that this machine has is used. Every level returns the same bits.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fewbits import _native
from fewbits.arrays import Bytes, Floats, as_count
from fewbits.errors import KernelError
from fewbits.vectors.form import LinearForm

if TYPE_CHECKING:
    from fewbits.vectors.queries import Queries

_PACKINGS = {"i8": 0, "u4": 1, "trit": 2, "b1": 3, "f16": 4}
_STEP_RULES = {"fixed": 0, "row": 1, "offset": 2}


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
    return _native.encode(
        _layout(form),
        x,
        step_rule=_STEP_RULES[form.step_rule],
        normalise=form.metric == "cosine",
        correct=form.correct,
        low=form.low,
        high=form.high,
        high_c=form.high_c,
        rms_factor=form.rms_factor,
        mean=form.mean,
        step=form.step,
        zero=form.zero,
        threads=threads,
    )


def score(queries: Queries, codes: Bytes, form: LinearForm, threads: int = 1) -> Floats:
    """Return scores float32 (nq, n)."""
    return _native.score_all(_layout(form), codes, _prepared(queries, form), threads)


def score_rows(
    queries: Queries, codes: Bytes, rows: NDArray[np.int64], form: LinearForm, threads: int = 1
) -> Floats:
    """Return float32 (nq, m), the scores of the code rows rows[i, :]; -inf where negative."""
    return _native.score_rows(_layout(form), codes, _prepared(queries, form), rows, threads)


def search(
    queries: Queries,
    codes: Bytes,
    form: LinearForm,
    k: int,
    rows: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return (scores, rows) of the k best, each (nq, min(k, candidates)), best first.

    `rows` are the candidates, ascending; None means all. Equal scores: the lower row first.
    """
    prepared = _prepared(queries, form)
    scores, found = _native.search(_layout(form), codes, prepared, rows, k, threads)
    return scores, found


@lru_cache(maxsize=256)
def _cached_layout(
    packing: int, d: int, gain: int, alpha: bool, beta: bool, nu: bool, hamming: bool
) -> _native.Layout:
    return _native.Layout(packing, d, gain, alpha, beta, nu, hamming)


def _layout(form: LinearForm) -> _native.Layout:
    packing = _PACKINGS[form.packing]
    return _cached_layout(packing, form.d, form.gain, form.alpha, form.beta, form.nu, form.hamming)


def _prepared(queries: Queries, form: LinearForm) -> _native.Queries:
    return _native.Queries(
        _layout(form),
        plane=queries.plane,
        dense=queries.dense,
        weight=queries.weight,
        base=queries.base,
        t=queries.t,
        gamma=queries.gamma,
    )


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
