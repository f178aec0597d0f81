from __future__ import annotations

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.models.inputs import Inputs
from fewbits.models.recipe import Recipe, Row
from fewbits.models.smoothing import (
    EXPONENTS,
    decoded,
    output_error,
    smooth_factors,
    smooth_static,
)


def outliers(n=600, k=64, seed=3):
    """Inputs of which three are 60 times as large, and weights that are alike."""
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((n, k)).astype(np.float32)
    x[:, :3] *= 60
    w = draw.standard_normal((48, k)).astype(np.float32)
    w[:, :3] /= 60
    return x, w


def watched(x):
    inputs = Inputs(x.shape[1])
    inputs.add(x)
    return inputs


def row(**choices):
    return Row("*", weights="int8", activations="static", **choices)


def test_factors_follow_the_formula_up_to_a_common_one():
    x, w = outliers()
    reach = np.abs(x).max(axis=0)
    expected = reach**0.7 / np.abs(w).max(axis=0) ** 0.3
    factors = smooth_factors(reach, w, 0.7)
    np.testing.assert_allclose(factors / factors[0], expected / expected[0], rtol=1e-4)
    assert np.exp(np.log(factors).mean()) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("silent", ["inputs", "weights", "both"])
def test_silent_inputs_get_positive_finite_factors(exponent, silent):
    x, w = outliers()
    reach = np.abs(x).max(axis=0)
    if silent != "weights":
        reach[5:9] = 0
    if silent != "inputs":
        w[:, 7:20] = 0
    factors = smooth_factors(reach, w, exponent)
    assert np.all(np.isfinite(factors))
    assert np.all(factors > 0)


def test_all_inputs_silent_give_factors_of_one():
    np.testing.assert_array_equal(
        smooth_factors(np.zeros(4, np.float32), np.zeros((2, 4), np.float32), 0.5), 1
    )


def test_smoothing_takes_outliers_out_of_the_output_error():
    x, w = outliers()
    plain = smooth_static(watched(x), w, row())
    searched = smooth_static(watched(x), w, row(smooth="search"))
    assert plain.exponent is None
    assert searched.exponent in EXPONENTS
    assert output_error(x, w, searched) < output_error(x, w, plain) / 20


def test_the_search_is_within_its_tolerance_of_every_fixed_exponent():
    x, w = outliers(seed=8)
    searched = smooth_static(watched(x), w, row(smooth="search"))
    sample = watched(x).rows[::2]
    for exponent in EXPONENTS:
        fixed = smooth_static(watched(x), w, row(smooth=exponent))
        assert searched.error <= 1.16 * output_error(sample, w, fixed)


def test_a_number_is_the_exponent_itself():
    x, w = outliers()
    chosen = smooth_static(watched(x), w, row(smooth=0.6))
    reach = np.abs(x).max(axis=0)
    usual = np.maximum(reach, np.quantile(reach, 0.9).astype(np.float32))
    np.testing.assert_array_equal(chosen.smooth, smooth_factors(usual, w, 0.6))
    assert chosen.error is None


def test_an_input_that_was_quiet_in_calibration_keeps_room():
    x, w = outliers()
    x[:, 5] *= 1e-3
    chosen = smooth_static(watched(x), w, row(smooth=1.0))
    loud = np.zeros_like(x[:1])
    loud[0, 5] = 0.9 * np.quantile(np.abs(x).max(axis=0), 0.9)
    np.testing.assert_allclose(
        (decoded(loud, chosen.activation) * chosen.smooth)[0, 5], loud[0, 5], rtol=0.05
    )


def test_inverse_undoes_scale_and_factors():
    x, w = outliers()
    chosen = smooth_static(watched(x), w, row(smooth=0.9))
    taken = chosen.activation
    np.testing.assert_allclose(taken.inverse * taken.scale * chosen.smooth, 1, rtol=1e-5)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan"), "auto", None])
def test_exponents_that_are_none_are_refused(wrong):
    with pytest.raises(InputError, match="smooth must be 0 to 1 or 'search'"):
        row(smooth=wrong)


def test_a_search_is_refused_where_nothing_is_calibrated():
    with pytest.raises(InputError, match="calibration of static"):
        Row("*", weights="int8", activations="dynamic", smooth="search")


def test_the_static_recipe_survives_json():
    recipe = Recipe.int8("static")
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert recipe.rows[0].smooth == "search"
