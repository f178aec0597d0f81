"""The table of quantizers that the conformance tests run over, and data for them.

A kind that is registered and not listed here takes part with its defaults.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from fewbits.errors import CalibrationWarning
from fewbits.vectors import (
    Quantizer,
    make_quantizer,
    quantizer_names,
    set_simd_level,
    simd_level,
    simd_levels,
)
from fewbits.vectors.form import METRICS
from fewbits.vectors.linear import LinearQuantizer

PLAIN = {"center": False, "correct": False}
FULL = {"center": True, "correct": True}


def row_of(bits: int, rest: int) -> Callable[[int], int]:
    """Return a function from d to the bytes of d columns of so many bits, and `rest` more."""
    return lambda d: bits * -(-d // 8) + rest


PARAMS: dict[str, dict[str, dict[str, Any]]] = {
    "int8": {
        "default": {},
        "dynamic": {"dynamic": True},
        "dynamic-corrected": {"dynamic": True, "correct": True},
        "asymmetric": {"symmetric": False},
        "asymmetric-full": {"symmetric": False, "granularity": "dimension", **FULL},
        "dynamic-asymmetric": {"dynamic": True, "symmetric": False},
        "dimension": {"granularity": "dimension", "observer": "minmax"},
        "group": {"granularity": "group", "observer": "minmax"},
        "full": FULL,
        "centred": {"center": True},
        "corrected": {"correct": True},
        "stochastic": {"rounding": "stochastic", "seed": 7},
        "minmax": {"observer": "minmax"},
        "percentile": {"observer": "percentile:99"},
        "entropy": {"observer": "entropy"},
        "moving-average": {"observer": "moving_average"},
    },
    "int4": {
        "default": {},
        "plain": {"observer": "minmax", **PLAIN},
        "dynamic": {"dynamic": True},
        "dynamic-plain": {"dynamic": True, "correct": False},
        "dynamic-asymmetric": {"dynamic": True, "symmetric": False},
        "asymmetric": {"symmetric": False, "observer": "minmax"},
        "asymmetric-plain": {"symmetric": False, "observer": "minmax", **PLAIN},
        "tensor": {"granularity": "tensor"},
        "group": {"granularity": "group", "observer": "minmax"},
        "stochastic": {"observer": "minmax", "rounding": "stochastic", **PLAIN},
    },
    "ternary": {
        "default": {},
        "plain": PLAIN,
        "centred": {"correct": False},
        "dynamic": {"dynamic": True},
        "dynamic-plain": {"dynamic": True, "correct": False},
        "tensor": {"granularity": "tensor"},
        "group": {"granularity": "group"},
        "stochastic": {"rounding": "stochastic", **PLAIN},
    },
    "binary": {
        "default": {},
        "plain": PLAIN,
        "bits": {"query": "bits"},
        "plain-bits": {"query": "bits", **PLAIN},
        "dynamic": {"dynamic": True},
        "dynamic-plain": {"dynamic": True, "correct": False},
        "dynamic-bits": {"dynamic": True, "query": "bits"},
        "tensor": {"granularity": "tensor"},
        "group": {"granularity": "group"},
        "stochastic": {"rounding": "stochastic", **PLAIN},
        "stochastic-dynamic": {"rounding": "stochastic", "dynamic": True, "correct": False},
    },
    "trellis": {
        "default": {},
        "one-bit": {"code_size": row_of(1, 2), "scalar_bytes": 1},
        "four-bits": {"code_size": row_of(4, 8), "scalar_bytes": 4},
        "eight-bits": {"code_size": row_of(8, 4), "scalar_bytes": 2},
        "twelve-bits": {"code_size": row_of(12, 4), "scalar_bytes": 2},
        "centroids": {"code_size": row_of(2, 5), "centroids": 3, "scalar_bytes": 2},
        "random": {"rotation": "random", "seed": 5},
        "axes": {"code_size": row_of(1, 4), "axes": 8, "scalar_bytes": 2},
    },
}


@dataclass(frozen=True)
class Variant:
    """One kind with one set of parameters and a metric."""

    kind: str
    label: str
    metric: str
    params: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.kind}-{self.label}-{self.metric}"

    def make(self, d: int) -> Quantizer:
        """Return a new quantizer, not fitted.

        "group" stands for a size that divides d, a function for what it returns for d.
        """
        params = {key: v(d) if callable(v) else v for key, v in self.params.items()}
        if params.get("granularity") == "group":
            params["granularity"] = f"group:{next(g for g in (8, 4, 5, 3, 7, 2, 1) if d % g == 0)}"
        return make_quantizer(self.kind, metric=self.metric, **params)

    def fitted(self, d: int, rows: int = 64) -> Quantizer:
        """Return a quantizer fitted on `sample(rows, d)`; shared, so not to be changed."""
        return _fitted(self, d, rows)


@cache
def _fitted(variant: Variant, d: int, rows: int) -> Quantizer:
    made = variant.make(d)
    with quiet():
        made.fit(sample(rows, d))
    return made


def cases(*, kinds: tuple[str, ...] | None = None, linear: bool = False) -> list[Variant]:
    """Return every registered kind x parameters x metric; only some kinds, or linear ones."""
    from fewbits.vectors.registry import _REGISTRY

    found = []
    for kind in quantizer_names():
        if kinds is not None and kind not in kinds:
            continue
        if linear and not issubclass(_REGISTRY[kind], LinearQuantizer):
            continue
        for label, params in PARAMS.get(kind, {"default": {}}).items():
            found += [Variant(kind, label, metric, params) for metric in METRICS]
    return found


def sample(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Return float32 (n, d): normal, unlike scales and offsets per dimension, two far values."""
    rng = np.random.default_rng([seed, d])
    scales = np.random.default_rng(d).uniform(0.2, 3.0, d)
    x = rng.standard_normal((n, d)) * scales + np.random.default_rng(d + 1).normal(0, 0.5, d)
    x = x.astype(np.float32)
    if seed and n > 1:
        x[n // 2, d // 2] *= 20  # beyond the calibrated range
    return x


@contextmanager
def quiet() -> Iterator[None]:
    """Allow to fit on few rows without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        yield


def alike(variant: Variant) -> AbstractContextManager[Any]:
    """Expect the warning that there are fewer distinct rows than centroids asked for."""
    if variant.params.get("centroids", 1) == 1:
        return nullcontext()
    return pytest.warns(CalibrationWarning, match="centroids are used")


@contextmanager
def level(name: str) -> Iterator[None]:
    """Use one CPU level inside the block."""
    before = simd_level()
    set_simd_level(name)
    try:
        yield
    finally:
        set_simd_level(before)


def at_every_level(call: Any) -> list[Any]:
    """Return what `call` returns at every CPU level of this machine."""
    found = []
    for name in simd_levels():
        with level(name):
            found.append(call())
    return found


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal in dtype, shape and every bit."""
    right = a.dtype == b.dtype and a.shape == b.shape
    return right and a.tobytes() == b.tobytes()
