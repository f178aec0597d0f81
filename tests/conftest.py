"""Shared by all tests: the conformance table is importable everywhere, levels are put back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "conformance"))  # for `from variants import ...`

settings.register_profile(
    "fewbits",
    deadline=None,  # timings on shared machines are noisy
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("fewbits")


@pytest.fixture
def restored_level() -> Iterator[None]:
    """Put the CPU level back that was in use before the test."""
    from fewbits.vectors import set_simd_level, simd_level

    before = simd_level()
    yield
    set_simd_level(before)


@pytest.fixture
def registry() -> Iterator[dict[str, type]]:
    """The registry of quantizers; what a test registers is gone after it."""
    from fewbits.vectors.registry import _REGISTRY

    before = dict(_REGISTRY)
    yield _REGISTRY
    _REGISTRY.clear()
    _REGISTRY.update(before)


@pytest.fixture
def clustered() -> tuple[np.ndarray, np.ndarray]:
    """Vectors (2000, 64) in clusters, and queries (20, 64) near some of them."""
    rng = np.random.default_rng(11)
    centres = rng.standard_normal((20, 64))
    x = centres[rng.integers(0, 20, 2000)] + 0.5 * rng.standard_normal((2000, 64))
    q = x[:20] + 0.2 * rng.standard_normal((20, 64))
    return x.astype(np.float32), q.astype(np.float32)
