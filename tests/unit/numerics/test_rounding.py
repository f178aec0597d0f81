from __future__ import annotations

import sys

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.numerics import half_to_even, noise, stochastic


@pytest.fixture
def x():
    return np.random.default_rng(7).standard_normal((500, 33)).astype(np.float32)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (-2.5, -2), (0.49999997, 0), (126.5, 126),
     (127.5, 128), (1.0000001, 1)],
)  # fmt: skip
def test_ties_go_to_the_even_neighbour(value, rounded):
    assert half_to_even(np.float32([value]))[0] == rounded


def test_noise_is_float32_in_the_unit_interval(x):
    u = noise(x, 3)
    assert u.dtype == np.float32
    assert u.shape == x.shape
    assert u.min() >= 0
    assert u.max() < 1


def test_noise_looks_uniform(x):
    u = noise(x, 0).astype(np.float64)
    n = u.size
    assert abs(u.mean() - 0.5) < 5 / np.sqrt(12 * n)
    counts = np.histogram(u, bins=64, range=(0, 1))[0]
    chi_squared = ((counts - n / 64) ** 2 / (n / 64)).sum()
    assert chi_squared < 63 + 5 * np.sqrt(2 * 63)


def test_noise_of_neighbouring_columns_rows_and_seeds_is_uncorrelated(x):
    u, v = noise(x, 0).astype(np.float64), noise(x, 1).astype(np.float64)
    limit = 5 / np.sqrt(u.size)
    for a, b in ((u[:, 1:], u[:, :-1]), (u[1:], u[:-1]), (u, v), (u, x)):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < limit


def test_noise_ignores_the_batch_and_the_place_in_it(x):
    u = noise(x, 5)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(noise(x[order], 5), u[order])
    for i in (0, 17, 499):
        np.testing.assert_array_equal(noise(x[i : i + 1], 5)[0], u[i])


def test_noise_ignores_memory_layout(x):
    np.testing.assert_array_equal(noise(np.asfortranarray(x), 5), noise(x, 5))
    np.testing.assert_array_equal(noise(x.astype(">f4"), 5), noise(x, 5))


def test_negative_zero_gives_the_noise_of_zero():
    zero = np.zeros((1, 8), dtype=np.float32)
    np.testing.assert_array_equal(noise(-zero, 9), noise(zero, 9))


def test_one_bit_of_one_value_changes_the_whole_row(x):
    y = x.copy()
    y[:, 4] = np.nextafter(y[:, 4], np.float32(np.inf))
    assert np.mean(noise(y, 0) == noise(x, 0)) < 1e-3


def test_another_seed_changes_everything(x):
    assert np.mean(noise(x, 0) == noise(x, 1)) < 1e-3


def test_noise_bytes_are_frozen():
    x = np.array([[0.0, 1.0, -1.5]], dtype=np.float32)
    # The same on every machine and in every version: stored codes depend on it.
    frozen = np.array([[11193603, 9149325, 8181689]]) / 2**24
    np.testing.assert_array_equal(noise(x, 42), frozen)


def _finalise(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def test_noise_agrees_with_whole_numbers_in_python(x):
    golden, d = 0x9E3779B97F4A7C15, x.shape[1]
    start = _finalise((6 + golden) % 2**64)
    odd = [_finalise((start + (j + 1) * golden) % 2**64) | 1 for j in range(d)]
    for i in (0, 499):
        patterns = [int.from_bytes(value.tobytes(), sys.byteorder) for value in x[i]]
        key = _finalise((sum(p * o for p, o in zip(patterns, odd, strict=True)) + start) % 2**64)
        states = [_finalise((key + (j + 1) * golden) % 2**64) >> 40 for j in range(d)]
        np.testing.assert_array_equal(noise(x[i : i + 1], 6)[0], np.array(states) / 2**24)


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_every_64_bit_seed_is_taken(seed):
    assert noise(np.ones((1, 2), dtype=np.float32), seed).shape == (1, 2)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, None, "1"])
def test_other_seeds_are_refused(seed):
    with pytest.raises(InputError, match="seed"):
        noise(np.ones((1, 2), dtype=np.float32), seed)


@pytest.mark.parametrize("rows", [0, 1])
def test_noise_of_few_rows_keeps_the_shape(rows):
    assert noise(np.ones((rows, 3), dtype=np.float32), 0).shape == (rows, 3)


@pytest.mark.parametrize("value", [-128, -127, -1, 0, 1, 64, 127, 255])
def test_integers_never_move(value):
    u = np.float32([0, 0.5, 1 - 2.0**-24])
    np.testing.assert_array_equal(stochastic(np.full(3, value, np.float32), u), [value] * 3)


@pytest.mark.parametrize("value", [0.25, -0.25, 3.7, -3.7, 126.999, 1e-3, -1e-3])
def test_stochastic_rounding_is_unbiased_over_seeds(value):
    x = np.full((1, 64), value, dtype=np.float32)
    rounded = np.concatenate([stochastic(x, noise(x, seed)) for seed in range(400)])
    fraction = float(x[0, 0]) - np.floor(float(x[0, 0]))
    sigma = np.sqrt(fraction * (1 - fraction) / rounded.size)
    assert abs(rounded.mean(dtype=np.float64) - float(x[0, 0])) < 5 * sigma


def test_stochastic_rounding_doubles_the_mean_squared_error():
    x = np.random.default_rng(1).uniform(-100, 100, (2000, 64)).astype(np.float32)
    error = stochastic(x, noise(x)).astype(np.float64) - x
    assert abs(np.mean(error**2) - 1 / 6) < 0.002
    assert abs(np.mean((np.rint(x) - x) ** 2) - 1 / 12) < 0.002
