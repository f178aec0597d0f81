"""Centroids: the same everywhere, close to what they stand for, and never an empty one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from variants import same_bits

from fewbits.errors import CalibrationWarning, InputError
from fewbits.vectors import set_simd_level, simd_levels
from fewbits.vectors.specification import normalise
from fewbits.vectors.trellis import kmeans
from fewbits.vectors.trellis.kmeans import assign, train

D = 24


def groups(n=2000, k=10, spread=0.1, seed=1):
    """Return rows around k points, and the points."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((k, D)).astype(np.float32)
    x = points[rng.integers(0, k, n)] + spread * rng.standard_normal((n, D))
    return x.astype(np.float32), points


def exact(x, centroids):
    """Return squared distances (n, k) in double."""
    far = x.astype(np.float64)[:, None] - centroids.astype(np.float64)[None]
    return (far * far).sum(axis=2)


def quiet_train(x, k, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        return train(x, k, **{"spherical": False, **options})


@pytest.mark.parametrize("spherical", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_same_seed_gives_the_same_bits_and_another_one_other_bits(spherical, seed):
    x, _ = groups()
    first = train(x, 16, spherical=spherical, seed=seed)
    assert first.dtype == np.float32
    assert first.shape == (16, D)
    assert same_bits(first, train(x.copy(), 16, spherical=spherical, seed=seed))
    assert not np.array_equal(first, train(x, 16, spherical=spherical, seed=seed + 1))


@pytest.mark.parametrize("level", simd_levels())
def test_levels_and_threads_change_no_bit(level, restored_level):
    x, _ = groups()
    first = train(x, 16, spherical=True, threads=1)
    set_simd_level(level)
    assert same_bits(first, train(x, 16, spherical=True, threads=3))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
def test_rows_go_to_the_nearest_centroid_whatever_their_lengths(scale):
    rng = np.random.default_rng(3)
    x = (rng.standard_normal((500, D)) * rng.uniform(0.01, 30, (500, 1)) * scale).astype("f4")
    centroids = x[:40] * np.float32(0.7)
    x[7] = 0
    found = assign(x, centroids)
    squares = exact(x, centroids)
    chosen = squares[np.arange(500), found]
    # Rounding to 16 bits may pick another one that is as near within that precision.
    reach = np.linalg.norm(x, axis=1) * np.linalg.norm(centroids, axis=1).max() / 8000
    assert np.all(chosen <= squares.min(axis=1) + reach)
    assert np.mean(found == squares.argmin(axis=1)) > 0.99
    assert found[7] == np.linalg.norm(centroids, axis=1).argmin()


@pytest.mark.parametrize("spherical", [True, False])
def test_centroids_are_means_and_settle_near_the_groups(spherical):
    x, points = groups(spread=0.05)
    x *= np.float32(3)
    y = normalise(x) if spherical else x
    centroids = train(x, 30, spherical=spherical, iterations=25)
    lists = assign(y, centroids)
    for number, centroid in enumerate(centroids):
        mean = y[lists == number].mean(axis=0, dtype=np.float64)
        assert np.linalg.norm(mean - centroid) < 0.05 * np.linalg.norm(mean)
    wanted = normalise(points) if spherical else points * 3
    assert np.sqrt(exact(y, centroids).min(axis=1).mean()) < 0.3 * np.linalg.norm(wanted[0])
    assert np.sqrt(exact(wanted, centroids).min(axis=1).max()) < 0.1 * np.linalg.norm(wanted[0])


def test_more_iterations_bring_centroids_nearer():
    x, _ = groups(spread=1.0)
    costs = [
        exact(x, train(x, 64, spherical=False, iterations=n)).min(axis=1).mean() for n in (1, 9)
    ]
    assert costs[1] < costs[0]


def test_no_centroid_is_empty_even_if_half_of_the_rows_are_one():
    x, _ = groups(n=1000)
    x[::2] = x[0]
    centroids = train(x, 32, spherical=False)
    sizes = np.bincount(assign(x, centroids), minlength=32)
    assert len(centroids) == 32
    assert sizes.min() > 0
    assert sizes.max() >= 500


def test_an_empty_centroid_takes_the_farthest_row_of_the_widest_cluster():
    x = np.zeros((10, 2), np.float32)
    x[:7, 0] = [1, 1, 1, 1, 1, 1, 3]
    x[7:, 1] = 1
    old = np.array([[1, 0], [0, 1], [-9, -9]], np.float32)
    lists = assign(x, old)
    assert lists.tolist() == [0] * 7 + [1] * 3
    moved = kmeans._moved(x, lists, old)
    assert moved[2].tolist() == [3, 0]
    assert moved[1].tolist() == [0, 1]


@pytest.mark.parametrize("distinct", [1, 3, 20])
def test_fewer_distinct_rows_than_centroids_give_fewer_centroids_and_a_warning(distinct):
    x = np.tile(groups(n=distinct)[0][:distinct], (40, 1))
    with pytest.warns(CalibrationWarning, match=rf"only {distinct} of 32 centroids"):
        centroids = train(x, 32, spherical=False)
    assert centroids.shape == (distinct, D)
    assert np.allclose(exact(x, centroids).min(axis=1), 0, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_rows_that_all_lie_on_a_centroid_leave_the_others_empty(seed):
    """Then no cluster costs anything, and the first of all may be one without rows."""
    x = np.array([[0], [1], [1], [1]], dtype=np.float32)
    with pytest.warns(CalibrationWarning, match=r"only 2 of 3 centroids"):
        assert sorted(train(x, 3, spherical=False, seed=seed).tolist()) == [[0], [1]]


def test_fewer_rows_than_centroids_give_one_each_and_a_warning():
    x, _ = groups(n=20)
    with pytest.warns(CalibrationWarning, match="only 20 of 64"):
        assert train(x, 64, spherical=True).shape == (20, D)


def test_few_rows_per_centroid_are_told():
    with pytest.warns(CalibrationWarning, match="fewer than 16 rows each"):
        train(groups(n=200)[0], 20, spherical=False)


@pytest.mark.parametrize("x", [np.zeros((30, D)), np.full((30, D), 1e-30), np.eye(30, D) * 1e15])
@pytest.mark.parametrize("spherical", [True, False])
def test_extreme_rows_end_in_finite_centroids(x, spherical):
    centroids = quiet_train(x.astype(np.float32), 4, spherical=spherical)
    assert np.all(np.isfinite(centroids))
    assert 1 <= len(centroids) <= 4


def test_a_large_sample_is_cut_to_64_rows_per_centroid(monkeypatch):
    seen = []
    settle = kmeans._settle
    monkeypatch.setattr(
        kmeans, "_settle", lambda rows, *rest: seen.append(len(rows)) or settle(rows, *rest)
    )
    train(groups(n=3000)[0], 10, spherical=False)
    assert seen == [640]


@pytest.mark.parametrize(
    ("x", "k", "words"),
    [
        (np.empty((0, D), np.float32), 4, "at least one row"),
        (groups(n=50)[0], 0, "k must be at least 1"),
    ],
)
def test_bad_input_is_named(x, k, words):
    with pytest.raises(InputError, match=words):
        train(x, k, spherical=False)
