from __future__ import annotations

import numpy as np
import pytest

from fewbits.vectors.trellis.spectrum import principal_axes, random_axes


def rows(n: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(d)
    axes = np.linalg.qr(rng.standard_normal((d, d)))[0]
    scales = np.geomspace(1, 0.05, d)
    drawn = np.random.default_rng(n).standard_normal((n, d))
    return (drawn * scales @ axes.T).astype(np.float32)


def test_axes_are_orthonormal_and_variances_descend():
    axes, variance = principal_axes(rows(500, 32))
    assert np.allclose(axes @ axes.T, np.eye(32), atol=1e-6)
    assert np.all(np.diff(variance) <= 0)


def test_few_rows_do_not_flatter_the_leading_axes():
    few = rows(96, 64)
    _, honest = principal_axes(few)
    plain = np.linalg.eigvalsh(few.T @ few / len(few))[::-1]
    axes, _ = principal_axes(few)
    real = ((rows(20_000, 64) @ axes.T) ** 2).mean(axis=0)

    def off(variance: np.ndarray) -> float:
        return float(np.abs(np.log(variance / real)).mean())

    assert off(honest) < 0.5 * off(np.maximum(plain, 1e-4 * plain.mean()))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_rows_gives_finite_positive_variances(n):
    axes, variance = principal_axes(rows(n, 8))
    assert np.all(np.isfinite(axes))
    assert np.all(variance > 0)


def test_constant_columns_get_the_floor():
    x = rows(400, 16)
    x[:, 8:] = 0
    _, variance = principal_axes(x)
    assert np.all(variance[8:] == pytest.approx(variance[8]))
    assert 0 < variance[8] < 1e-3 * variance[0]


def test_a_seed_gives_one_rotation():
    a, b = random_axes(24, 3), random_axes(24, 3)
    assert np.array_equal(a, b)
    assert not np.allclose(a, random_axes(24, 4))
    assert np.allclose(a @ a.T, np.eye(24))
