from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.numerics import from_codes, lloyd_max, lloyd_max_fit, to_codes

# Positive centroids for N(0, 1), Max 1960, table I.
PUBLISHED = {
    2: [0.7979],
    3: [0.0, 1.2247],
    4: [0.4528, 1.510],
    8: [0.2451, 0.7560, 1.344, 2.152],
    16: [0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733],
}
# Mean squared error by levels, the same source.
DISTORTION = {2: 0.3634, 4: 0.1175, 8: 0.03454, 16: 0.009497, 32: 0.002499}


@pytest.mark.parametrize("levels", PUBLISHED)
def test_normal_centroids_agree_with_the_published_table(levels):
    centroids, thresholds = lloyd_max(levels)
    half = PUBLISHED[levels]
    np.testing.assert_allclose(centroids[-len(half) :], half, atol=1e-3)
    assert centroids.dtype == thresholds.dtype == np.float32
    assert (len(centroids), len(thresholds)) == (levels, levels - 1)


def test_the_ternary_threshold_is_known():
    np.testing.assert_allclose(lloyd_max(3)[1], [-0.6120, 0.6120], atol=1e-4)


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 8, 15, 16, 17, 31, 64, 100, 255, 256])
def test_both_conditions_of_lloyd_hold(levels):
    centroids, thresholds = (book.astype(np.float64) for book in lloyd_max(levels))
    np.testing.assert_allclose(thresholds, (centroids[1:] + centroids[:-1]) / 2, atol=1e-6)
    edges = np.concatenate([[-12], thresholds, [12]])
    for low, high, centroid in zip(edges[:-1], edges[1:], centroids, strict=True):
        grid = np.linspace(low, high, 2001)
        density = np.exp(-0.5 * grid**2)
        mean = np.sum(grid * density) - 0.5 * (low * density[0] + high * density[-1])
        mean /= np.sum(density) - 0.5 * (density[0] + density[-1])
        assert mean == pytest.approx(centroid, abs=2e-5)


@pytest.mark.parametrize("levels", [2, 3, 4, 7, 16])
def test_newtons_finish_agrees_with_plain_iteration(levels):
    def density(x):
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    def cumulative(x):
        return 0.5 * (1 + math.erf(x / math.sqrt(2)))

    book = [-3 + 6 * i / (levels - 1) for i in range(levels)]
    for _ in range(3000):
        inner = [(a + b) / 2 for a, b in itertools.pairwise(book)]
        edges = [-40.0, *inner, 40.0]
        book = [
            (density(a) - density(b)) / (cumulative(b) - cumulative(a))
            for a, b in itertools.pairwise(edges)
        ]
    np.testing.assert_allclose(lloyd_max(levels)[0], book, atol=1e-6)


@pytest.mark.parametrize("levels", [2, 3, 4, 16, 37, 256])
def test_normal_codebooks_are_ascending_and_symmetric(levels):
    centroids, thresholds = lloyd_max(levels)
    assert (np.diff(centroids) > 0).all()
    np.testing.assert_array_equal(centroids, -centroids[::-1])
    np.testing.assert_array_equal(thresholds, -thresholds[::-1])
    assert (centroids[:-1] < thresholds).all()
    assert (thresholds < centroids[1:]).all()


def test_normal_codebooks_cannot_be_written_to():
    centroids, thresholds = lloyd_max(4)
    for book in (centroids, thresholds):
        with pytest.raises(ValueError, match="read-only"):
            book[0] = 0


@pytest.mark.parametrize("levels", DISTORTION)
def test_the_error_on_normal_data_is_the_known_one(levels):
    x = np.random.default_rng(levels).standard_normal((1000, 400)).astype(np.float32)
    centroids, thresholds = lloyd_max(levels)
    error = np.mean((x - from_codes(to_codes(x, thresholds), centroids)) ** 2, dtype=np.float64)
    assert error == pytest.approx(DISTORTION[levels], rel=0.02)


@pytest.mark.parametrize("levels", [-1, 0, 1, 257, 4.0, True, None])
def test_other_level_counts_are_refused(levels):
    with pytest.raises(InputError, match="levels"):
        lloyd_max(levels)
    with pytest.raises(InputError, match="levels"):
        lloyd_max_fit(np.ones((2, 2), np.float32), levels)


@pytest.mark.parametrize("levels", [2, 3, 4, 8])
def test_fitting_normal_data_finds_the_normal_codebook(levels):
    x = np.random.default_rng(1).standard_normal((1000, 500)).astype(np.float32)
    centroids, thresholds = lloyd_max_fit(x * 3 + 5, levels)
    np.testing.assert_allclose((centroids - 5) / 3, lloyd_max(levels)[0], atol=0.02)
    np.testing.assert_allclose((thresholds - 5) / 3, lloyd_max(levels)[1], atol=0.02)


@pytest.mark.parametrize("kind", ["normal", "laplace", "cauchy", "exponential", "clusters"])
@pytest.mark.parametrize("levels", [2, 4, 16])
def test_a_fitted_codebook_is_never_worse_than_even_steps(kind, levels):
    rng = np.random.default_rng(2)
    x = {
        "normal": rng.standard_normal(4000),
        "laplace": rng.laplace(size=4000),
        "cauchy": np.clip(rng.standard_cauchy(4000), -50, 50),
        "exponential": rng.exponential(size=4000),
        "clusters": rng.choice([-4.0, 0, 1, 9], 4000) + rng.normal(0, 0.1, 4000),
    }[kind].astype(np.float32)[:, None]
    even = np.linspace(x.min(), x.max(), 2 * levels + 1)[1::2].astype(np.float32)
    centroids, thresholds = lloyd_max_fit(x, levels)
    fitted = np.mean((x - from_codes(to_codes(x, thresholds), centroids)) ** 2)
    plain = np.mean((x - even[np.argmin(np.abs(x - even), axis=1)][:, None]) ** 2)
    assert fitted <= plain


@pytest.mark.parametrize("levels", [2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_a_codebook_of_few_samples_is_the_best_of_all_partitions(levels, seed):
    rng = np.random.default_rng(seed)
    kinds = (rng.laplace(size=12) ** 3, rng.choice([-4.0, 0, 1, 9], 12) + rng.normal(0, 0.1, 12))
    x = np.sort(kinds[seed % 2]).astype(np.float32)
    best = min(
        sum(((part - part.mean(dtype=np.float64)) ** 2).sum() for part in np.split(x, borders))
        for borders in itertools.combinations(range(1, 12), levels - 1)
    )
    centroids, thresholds = lloyd_max_fit(x[:, None], levels)
    decoded = from_codes(to_codes(x[:, None], thresholds), centroids)[:, 0]
    assert ((x - decoded) ** 2).sum() == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("values", [[0], [5], [1e15], [1e-45], [-1, 1], [1, 1, 1, 2], [-3, 0, 7]])
@pytest.mark.parametrize("levels", [2, 3, 16])
def test_few_distinct_samples_are_represented_exactly(values, levels):
    x = np.array(values, dtype=np.float32)[:, None]
    centroids, thresholds = lloyd_max_fit(x, levels)
    assert np.isfinite(centroids).all()
    assert (np.diff(centroids) >= 0).all()
    decoded = from_codes(to_codes(x, thresholds), centroids)
    if len(set(values)) <= 2 or levels > 3:
        np.testing.assert_allclose(decoded, x, rtol=1e-6, atol=1e-6 * np.abs(x).max())


def test_fitting_needs_samples():
    with pytest.raises(InputError, match="at least one"):
        lloyd_max_fit(np.zeros((0, 4), np.float32), 4)


def test_two_normal_levels_are_the_sign():
    x = np.float32([[-1, -1e-30, -0.0, 0.0, 1e-30, 1]])
    np.testing.assert_array_equal(to_codes(x, lloyd_max(2)[1]), x > 0)


def test_codes_are_the_nearest_centroids():
    x = np.random.default_rng(3).standard_normal((50, 20)).astype(np.float32)
    centroids, thresholds = lloyd_max(16)
    nearest = np.argmin(np.abs(x[:, :, None] - centroids), axis=2)
    codes = to_codes(x, thresholds)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, nearest)


@pytest.mark.parametrize("thresholds", [[], [1, 0], np.zeros((2, 2)), np.zeros(256)])
def test_impossible_thresholds_are_refused(thresholds):
    with pytest.raises(InputError, match="thresholds"):
        to_codes(np.ones((1, 1), np.float32), thresholds)


def test_a_code_without_a_centroid_is_refused():
    with pytest.raises(InputError, match=r"0\.\.1"):
        from_codes(np.array([[2]], np.uint8), [0, 1])
