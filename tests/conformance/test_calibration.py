"""Fitting: what it learns from, what it warns of, and what needs it."""

from __future__ import annotations

import numpy as np
import pytest
from variants import cases, quiet, same_bits, sample

from fewbits.errors import CalibrationWarning, InputError, NotFittedError

CASES = cases()
DEFAULTS = [v for v in CASES if v.label == "default"]
D = 24


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_a_quantizer_that_was_not_fitted_says_so(variant):
    quantizer = variant.make(D)
    x = sample(3, D)
    if not quantizer.needs_fit:
        assert quantizer.fitted
        assert len(quantizer.encode(x)) == 3
        return
    assert not quantizer.fitted
    for call in (
        lambda: quantizer.encode(x),
        lambda: quantizer.decode(np.zeros((1, 4), np.uint8)),
        lambda: quantizer.score(x, np.zeros((1, 4), np.uint8)),
        lambda: quantizer.search(x, np.zeros((1, 4), np.uint8), 1),
        lambda: quantizer.score_rows(x, np.zeros((1, 4), np.uint8), np.zeros((3, 1), np.int64)),
        lambda: quantizer.code_size,
    ):
        with pytest.raises(NotFittedError, match="fit"):
            call()
    assert quantizer.dims is None


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_fitting_on_few_rows_warns_where_ranges_are_learned(variant):
    quantizer = variant.make(D)
    if quantizer.needs_fit:
        with pytest.warns(CalibrationWarning, match="255 rows"):
            quantizer.fit(sample(255, D))
    else:
        quantizer.fit(sample(2, D))  # no warning: the suite turns warnings into errors
    assert quantizer.fit(sample(256, D)) is quantizer
    assert quantizer.calibration_rows == 256


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_fitting_again_on_the_same_rows_changes_nothing(variant):
    quantizer, x = variant.make(D), sample(256, D)
    first = quantizer.fit(x).encode(x)
    assert same_bits(quantizer.fit(x).encode(x), first)


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_fit_takes_blocks_and_learns_the_same_as_from_the_whole(variant):
    x = sample(300, D)
    whole = variant.make(D).fit(x).encode(x)
    blocks = variant.make(D).fit(block for block in (x[:1], x[1:200], x[200:]))
    assert same_bits(blocks.encode(x), whole)


@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_fit_on_a_sample_of_many_rows_does_not_depend_on_the_blocks(variant):
    x = sample(2000, D)
    one = variant.make(D).fit(iter([x]), sample=300)
    two = variant.make(D).fit(iter([x[:10], x[10:999], x[999:]]), sample=300)
    assert one.calibration_rows == two.calibration_rows == 300
    assert same_bits(one.encode(x[:50]), two.encode(x[:50]))


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_fitting_for_another_width_starts_over(variant):
    quantizer = variant.make(D)
    with quiet():
        quantizer.fit(sample(64, D)).encode(sample(3, D))
        quantizer.fit(sample(64, 48))
        fresh = variant.make(D).fit(sample(64, 48))
    assert quantizer.encode(sample(3, 48)).shape == (3, quantizer.code_size)
    assert same_bits(quantizer.encode(sample(3, 48)), fresh.encode(sample(3, 48)))


@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_nothing_to_fit_on_is_refused(variant):
    for empty in (np.empty((0, D), np.float32), [], iter([])):
        with pytest.raises(InputError):
            variant.make(D).fit(empty)
