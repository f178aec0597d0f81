"""Bounds, order and idempotence of codes, searched for counterexamples by hypothesis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from variants import at_every_level, cases, quiet, same_bits

from fewbits.vectors import specification
from fewbits.vectors.queries import prepare

LIMIT = float(np.float32(1e15))
FLOATS = st.floats(-LIMIT, LIMIT, width=32, allow_subnormal=True)
SMALL = st.floats(-100, 100, width=32, allow_subnormal=False)
PLAIN = [
    v
    for v in cases(kinds=("int8", "int4", "ternary"))
    if v.label in ("minmax", "dimension", "plain", "asymmetric-plain") and v.metric == "ip"
]
ALL = [v for v in cases(linear=True) if "entropy" not in v.label and "stochastic" not in v.label]


@st.composite
def matrices(draw, elements=SMALL, rows=(1, 6), columns=(1, 40)):
    """Draw (calibration rows, rows) of one width."""
    d = draw(st.integers(*columns))
    fit = draw(npst.arrays(np.float32, (draw(st.integers(*rows)), d), elements=elements))
    x = draw(npst.arrays(np.float32, (draw(st.integers(*rows)), d), elements=elements))
    return fit, x


def fitted(variant, fit):
    with quiet():
        return variant.make(fit.shape[1]).fit(fit)


def usable(variant, x):
    return np.clip(x, -65000, 65000) if variant.kind == "float16" else x


@pytest.mark.parametrize("variant", PLAIN, ids=str)
@settings(max_examples=40)
@given(data=matrices())
def test_values_inside_the_range_err_by_half_a_step_at_most(variant, data):
    fit, x = data
    quantizer = fitted(variant, fit)
    form = quantizer.form()
    codes = quantizer.encode(x)
    decoded = quantizer.decode(codes)
    level = np.rint((x - form.mean) / form.step) + form.zero
    inside = (level >= form.low) & (level <= form.high)
    slack = 1e-6 * (np.abs(x) + np.abs(form.mean) + form.step * (1 + np.abs(form.zero)))
    assert np.all((np.abs(decoded - x) <= form.step / 2 + slack)[inside])


@pytest.mark.parametrize("variant", PLAIN, ids=str)
@settings(max_examples=40)
@given(data=matrices())
def test_plain_codes_are_stable_under_decoding(variant, data):
    fit, x = data
    quantizer = fitted(variant, fit)
    codes = quantizer.encode(x)
    assert same_bits(quantizer.encode(quantizer.decode(codes)), codes)


@pytest.mark.parametrize("variant", PLAIN, ids=str)
@settings(max_examples=40)
@given(data=matrices(), shift=st.floats(0, 50, width=32))
def test_codes_grow_with_the_values(variant, data, shift):
    fit, x = data
    quantizer = fitted(variant, fit)
    form = quantizer.form()
    lower = specification.unpack_stored(quantizer.encode(x), form)
    higher = specification.unpack_stored(quantizer.encode(x + np.float32(shift)), form)
    assert np.all(lower <= higher)


@pytest.mark.parametrize("variant", ALL, ids=str)
@settings(max_examples=5)
@given(data=matrices(FLOATS, rows=(1, 3), columns=(1, 20)))
def test_any_finite_numbers_give_finite_results_equal_at_every_level(variant, data):
    fit, x = (usable(variant, part) for part in data)
    quantizer = fitted(variant, fit)
    form = quantizer.form()
    with np.errstate(all="ignore"):
        codes = specification.encode(x, form)
        expected = specification.score(prepare(x, form), codes, form)
    assert all(same_bits(found, codes) for found in at_every_level(lambda: quantizer.encode(x)))
    assert np.isfinite(quantizer.decode(codes)).all()
    assert np.isfinite(expected).all()
    for scores in at_every_level(lambda: quantizer.score(x, codes)):
        assert same_bits(scores, expected)


@pytest.mark.parametrize("variant", ALL, ids=str)
@settings(max_examples=4)
@given(data=matrices(rows=(2, 8), columns=(1, 33)), draw=st.randoms(use_true_random=False))
def test_rows_do_not_see_each_other(variant, data, draw):
    fit, x = data
    quantizer = fitted(variant, fit)
    codes = quantizer.encode(x)
    order = list(range(len(x)))
    draw.shuffle(order)
    assert same_bits(quantizer.encode(x[order]), codes[order])
    assert same_bits(np.vstack([quantizer.encode(row[None]) for row in x]), codes)


@pytest.mark.parametrize("variant", ALL, ids=str)
@settings(max_examples=4)
@given(data=matrices(rows=(1, 30), columns=(1, 9)), k=st.integers(0, 40))
def test_search_is_the_sorted_list_of_scores(variant, data, k):
    fit, x = data
    quantizer = fitted(variant, fit)
    codes = quantizer.encode(x)
    every = quantizer.score(fit, codes)
    scores, rows = quantizer.search(fit, codes, k)
    order = np.lexsort((np.broadcast_to(np.arange(len(x)), every.shape), -every), axis=1)
    assert np.array_equal(rows, order[:, :k])
    assert np.array_equal(scores, np.take_along_axis(every, order[:, :k], axis=1))
