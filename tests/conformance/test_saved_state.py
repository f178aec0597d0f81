"""Parameters and learned state go through JSON and arrays and come back as the same quantizer."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from variants import cases, quiet, same_bits, sample

from fewbits.errors import InputError, NotFittedError
from fewbits.vectors import Int8, Quantizer, make_quantizer

CASES = cases()
D = 20


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_parameters_and_state_round_trip(variant):
    quantizer = variant.fitted(D)
    params = json.loads(json.dumps(quantizer.params(), allow_nan=False))
    state = quantizer.state()
    arrays = {k: v.copy() for k, v in state.items() if isinstance(v, np.ndarray)}
    numbers = {k: v for k, v in state.items() if k not in arrays}
    numbers = json.loads(json.dumps(numbers, allow_nan=False))
    again = make_quantizer(variant.kind, **params).with_state({**numbers, **arrays})
    x, q = sample(30, D, seed=1), sample(3, D, seed=2)
    codes = quantizer.encode(x)
    assert again.params() == quantizer.params()
    assert same_bits(again.encode(x), codes)
    assert same_bits(again.score(q, codes), quantizer.score(q, codes))
    assert same_bits(again.decode(codes), quantizer.decode(codes))
    for array in arrays.values():
        array[:] = 99  # what was read belongs to the quantizer alone
    assert same_bits(again.encode(x), codes)


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_every_field_is_a_parameter_or_learned(variant):
    made = variant.make(D)
    fields = {f.name for f in dataclasses.fields(made)}
    assert fields == set(made.params()) | set(made.state())
    assert not set(made.params()) & set(made.state())


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_a_copy_of_the_parameters_is_the_same_kind_not_fitted(variant):
    copy = dataclasses.replace(variant.fitted(D))
    assert type(copy) is type(variant.fitted(D))
    assert copy.params() == variant.fitted(D).params()
    assert copy.dims is None
    assert copy.calibration_rows is None


@pytest.mark.parametrize("variant", [v for v in CASES if v.metric == "l2"], ids=str)
def test_a_used_quantizer_can_be_copied_and_sent_to_another_process(variant):
    quantizer, x = variant.fitted(D), sample(30, D, seed=1)
    codes = quantizer.encode(x)
    for again in (copy.deepcopy(quantizer), pickle.loads(pickle.dumps(quantizer))):
        assert again.params() == quantizer.params()
        assert same_bits(again.encode(x), codes)
        assert same_bits(again.score(x, codes), quantizer.score(x, codes))


BAD_STATE = {
    "unknown": {"scale": 1.0},
    "dims of text": {"dims": "20"},
    "dims of a float": {"dims": 20.0},
    "dims zero": {"dims": 0},
    "dims negative": {"dims": -1},
    "dims beyond the limit": {"dims": 65_536},
    "dims that would fill the memory": {"dims": 2**40},
    "dims True": {"dims": True},
    "dims of an array": {"dims": np.array([20])},
    "no calibration rows": {"calibration_rows": 0},
    "calibration rows of text": {"calibration_rows": "many"},
    "mean missing": {"mean": None},
    "step missing": {"step": None},
    "step of a list": {"step": [1.0] * D},
    "step of float64": {"step": np.ones(D)},
    "step too short": {"step": np.ones(D - 1, np.float32)},
    "step of two dimensions": {"step": np.ones((D, 1), np.float32)},
    "step zero": {"step": np.zeros(D, np.float32)},
    "step negative": {"step": np.full(D, -1, np.float32)},
    "step nan": {"step": np.full(D, np.nan, np.float32)},
    "step infinite": {"step": np.full(D, np.inf, np.float32)},
    "step huge": {"step": np.full(D, 1e38, np.float32)},
    "mean nan": {"mean": np.full(D, np.nan, np.float32)},
    "mean huge": {"mean": np.full(D, 1e30, np.float32)},
    "mean almost zero": {"mean": np.full(D, 1e-30, np.float32)},
    "zero of fractions": {"zero": np.full(D, 0.5, np.float32)},
    "zero out of range": {"zero": np.full(D, 128, np.float32)},
    "zero huge": {"zero": np.full(D, 1e9, np.float32)},
}


@pytest.mark.parametrize("what", BAD_STATE)
def test_impossible_state_is_refused(what):
    good = Int8(center=True).fit(sample(300, D)).state()
    with pytest.raises(InputError, match="learned"):
        Int8(center=True).with_state({**good, **BAD_STATE[what]})


@pytest.mark.parametrize("what", [w for w in BAD_STATE if w.startswith(("dims", "unknown"))])
@pytest.mark.parametrize("variant", [v for v in CASES if v.metric == "ip"], ids=str)
def test_every_kind_refuses_impossible_dimensions(variant, what):
    with pytest.raises(InputError):
        variant.make(D).with_state({**variant.fitted(D).state(), **BAD_STATE[what]})


def test_a_static_kind_without_its_ranges_is_refused():
    with pytest.raises(InputError, match="mean"):
        Int8().with_state({"dims": 8, "calibration_rows": 300})


def test_a_registered_name_cannot_be_taken(registry):
    with pytest.raises(TypeError, match="'int8' is taken by Int8"):

        class Other(Quantizer, name="int8"):
            pass

    assert registry["int8"] is Int8


def test_a_shared_base_without_a_name_is_not_registered(registry):
    before = set(registry)

    class Base(Quantizer):
        pass

    assert set(registry) == before


def test_code_size_of_an_unknown_width_is_an_error_of_its_own():
    with pytest.raises(NotFittedError, match="dimensions"):
        _ = Int8(dynamic=True).code_size


def test_bind_fixes_the_width_once():
    quantizer = Int8(dynamic=True)
    quantizer.bind(8)
    quantizer.bind(8)
    with pytest.raises(InputError, match="has 8 dimensions, cannot take 9"):
        quantizer.bind(9)


@pytest.mark.parametrize("variant", [v for v in CASES if v.metric == "ip"], ids=str)
def test_the_clipped_share_counts_what_the_range_does_not_cover(variant):
    quantizer = variant.fitted(D)
    measure = getattr(quantizer, "clipped_fraction", None)
    if measure is None:
        return
    form = quantizer.form()
    counted = form.step_rule == "fixed" and form.packing not in ("b1", "f16")
    x = np.full((10, D), 1e4, np.float32)
    with quiet():
        assert measure(x) == (1.0 if counted else 0.0)
        assert measure(x[:0]) == 0.0
        assert measure(form.mean[None]) == 0.0
