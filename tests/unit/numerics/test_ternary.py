from __future__ import annotations

import itertools

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.numerics import binary_xnor, dequantize, ternary_absmean, ternary_twn

GRIDS = [ternary_twn, ternary_absmean, binary_xnor]
GRAINS = {"vector": (6, 1), "tensor": (1,), "group:4": (6, 3)}


@pytest.fixture
def w():
    return np.random.default_rng(4).standard_normal((6, 12)).astype(np.float32)


def _error(w, codes, scale):
    return np.sum((w - dequantize(codes, scale)).astype(np.float64) ** 2)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("grid", GRIDS)
def test_codes_and_scales_have_the_declared_form(w, grid, grain, rounding):
    codes, scale = grid(w, grain, rounding=rounding)
    assert codes.dtype == np.int8
    assert codes.shape == w.shape
    assert scale.dtype == np.float32
    assert scale.shape == GRAINS[grain]
    assert set(np.unique(codes)) <= ({-1, 1} if grid is binary_xnor else {-1, 0, 1})


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("kind", ["normal", "laplace", "ties", "sparse"])
def test_twn_is_the_best_of_all_ternary_vectors(n, kind):
    rng = np.random.default_rng(n)
    rows = {
        "normal": rng.standard_normal((6, n)),
        "laplace": rng.laplace(size=(6, n)) ** 3,
        "ties": rng.integers(-2, 3, (6, n)),
        "sparse": rng.standard_normal((6, n)) * (rng.random((6, n)) < 0.3),
    }[kind].astype(np.float32)
    grid = np.array(list(itertools.product([-1, 0, 1], repeat=n)), dtype=np.float64)
    for row in rows:
        fit = np.maximum(grid @ row.astype(np.float64), 0)
        best = np.sum(row.astype(np.float64) ** 2) - np.max(
            fit**2 / np.maximum((grid**2).sum(axis=1), 1)
        )
        codes, scale = ternary_twn(row[None])
        assert _error(row[None], codes, scale) == pytest.approx(best, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("grain", GRAINS)
def test_twn_is_never_worse_than_the_published_threshold(w, grain):
    codes, scale = ternary_twn(w, grain)
    cells = w.reshape(-1, {"vector": 12, "tensor": 72, "group:4": 4}[grain])
    sizes = np.abs(cells)
    kept = sizes > 0.7 * sizes.mean(axis=1, keepdims=True)
    alpha = (sizes * kept).sum(axis=1, keepdims=True) / np.maximum(kept.sum(1, keepdims=True), 1)
    published = np.sum((cells - alpha * kept * np.sign(cells)) ** 2)
    assert _error(w, codes, scale) <= published * (1 + 1e-6)


def test_twn_on_normal_weights_finds_the_lloyd_max_levels():
    w = np.random.default_rng(0).standard_normal((300, 1000)).astype(np.float32)
    codes, scale = ternary_twn(w, "tensor")
    assert scale[0] == pytest.approx(1.224, abs=0.01)
    assert np.abs(w[codes != 0]).min() == pytest.approx(0.612, abs=0.01)
    assert _error(w, codes, scale) / w.size == pytest.approx(0.1902, abs=0.002)


@pytest.mark.parametrize(
    ("w", "codes", "scale"),
    [
        ([1, -1, 1, 1], [1, -1, 1, 1], 1),
        ([4, 0.1, -0.1, 0], [1, 0, 0, 0], 4),
        ([2, -2, 0, 0], [1, -1, 0, 0], 2),
        ([0, 0, 0, 0], [0, 0, 0, 0], 1),
    ],
)
def test_twn_agrees_with_worked_examples(w, codes, scale):
    found, s = ternary_twn(np.float32([w]))
    assert found.tolist() == [codes]
    assert s[0, 0] == scale


@pytest.mark.parametrize(
    ("w", "codes", "scale"),
    [
        ([1, -1, 1, 1], [1, -1, 1, 1], 1),
        ([2, -0.5, 0.5, -1], [1, 0, 0, -1], 1),  # 0.5 is a tie and goes to the even 0
        ([3, 0.5, -0.5, 0], [1, 0, 0, 0], 1),
        ([0, 0, 0, 0], [0, 0, 0, 0], 1),
    ],
)
def test_absmean_agrees_with_worked_examples(w, codes, scale):
    found, s = ternary_absmean(np.float32([w]))
    assert found.tolist() == [codes]
    assert s.tolist() == [scale]


@pytest.mark.parametrize(
    ("w", "codes", "scale"),
    [
        ([1, -1, 2, 4], [1, -1, 1, 1], 2),
        ([0, -0.0, 1, -1], [-1, -1, 1, -1], 0.5),
        ([0, 0, 0, 0], [-1, -1, -1, -1], 0),
    ],
)
def test_binary_agrees_with_worked_examples(w, codes, scale):
    found, s = binary_xnor(np.float32([w]))
    assert found.tolist() == [codes]
    assert s[0, 0] == scale


@pytest.mark.parametrize("factor", [0.9, 0.99, 1.01, 1.1])
def test_no_other_binary_scale_is_better(w, factor):
    codes, scale = binary_xnor(w)
    assert _error(w, codes, scale) < _error(w, codes, scale * np.float32(factor))


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("grain", ["vector", "tensor", "group:2"])
@pytest.mark.parametrize("value", [0, 1e-45, -1e-38, 1e15, -1e15])
@pytest.mark.parametrize("grid", GRIDS)
def test_constant_and_extreme_rows_decode_to_themselves(grid, value, grain, rounding):
    w = np.full((2, 4), value, dtype=np.float32)
    codes, scale = grid(w, grain, rounding=rounding)
    np.testing.assert_array_equal(dequantize(codes, scale), w)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_the_binary_codes_of_zeros_are_the_low_ones(rounding):
    codes, scale = binary_xnor(np.zeros((3, 40), np.float32), rounding=rounding)
    assert (codes == -1).all()
    assert (scale == 0).all()


def test_one_subnormal_among_zeros_stays_finite():
    w = np.zeros((1, 8), dtype=np.float32)
    w[0, 3] = 1e-45
    for grid, rounding in itertools.product(GRIDS, ["nearest", "stochastic"]):
        assert np.isfinite(dequantize(*grid(w, rounding=rounding))).all()


@pytest.mark.parametrize("grid", GRIDS)
def test_stochastic_codes_are_unbiased_inside_the_scale(grid):
    w = np.random.default_rng(9).uniform(-1, 1, (3000, 16)).astype(np.float32)
    codes, scale = grid(w, "tensor", rounding="stochastic", seed=2)
    inside = np.abs(w) <= scale
    for band in (w < -0.2, (w > -0.2) & (w < 0.2), w > 0.2):
        error = (codes * scale.astype(np.float64) - w)[band & inside]
        assert abs(error.mean()) < 5 * np.sqrt(error.var() / error.size)


@pytest.mark.parametrize("grid", GRIDS)
def test_stochastic_codes_saturate_outside_the_scale(grid):
    w = np.random.default_rng(9).standard_normal((50, 16)).astype(np.float32)
    codes, scale = grid(w, rounding="stochastic")
    outside = np.abs(w) >= scale
    np.testing.assert_array_equal(codes[outside], np.sign(w)[outside])


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("grain", ["vector", "group:4"])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_row_does_not_depend_on_the_others(w, grid, grain, rounding):
    codes, scale = grid(w, grain, rounding=rounding, seed=3)
    for i in range(len(w)):
        alone, own = grid(w[i : i + 1], grain, rounding=rounding, seed=3)
        np.testing.assert_array_equal(alone[0], codes[i])
        np.testing.assert_array_equal(own[0], scale[i])


@pytest.mark.parametrize("grid", GRIDS)
def test_the_stochastic_scale_is_the_nearest_one(w, grid):
    np.testing.assert_array_equal(grid(w, rounding="stochastic")[1], grid(w)[1])
    assert (grid(w, rounding="stochastic")[0] != grid(w)[0]).any()


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4,), {}),
        ((0, 4), {}),
        ((2, 4), {"granularity": "dimension"}),
        ((2, 4), {"granularity": "group:3"}),
        ((2, 4), {"granularity": "rows"}),
        ((2, 4), {"rounding": "up"}),
        ((2, 4), {"rounding": "stochastic", "seed": -1}),
    ],
)
def test_impossible_arguments_are_refused(grid, shape, options):
    with pytest.raises(InputError):
        grid(np.ones(shape, dtype=np.float32), **options)
