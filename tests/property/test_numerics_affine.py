from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fewbits.numerics import dequantize, extrema, fake_quantize, qparams, quantize

# Half a step beyond the extremes must still pass the gate at 1e15.
finite = st.floats(min_value=-(2.0**48), max_value=2.0**48, width=32)
matrices = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=finite
)
forms = st.one_of(
    st.tuples(st.integers(2, 8), st.just(True)), st.tuples(st.integers(1, 8), st.just(False))
)
grains = st.sampled_from(["tensor", "dimension", "vector", "group:1"])
profile = settings(max_examples=120, deadline=None)


def _params(x, form, grain):
    bits, symmetric = form
    return (*qparams(*extrema(x, grain), bits=bits, symmetric=symmetric), *form)


@profile
@given(matrices, forms, grains)
def test_decoding_is_within_half_a_step(x, form, grain):
    s, z, bits, symmetric = _params(x, form, grain)
    decoded = fake_quantize(x, s, z, bits=bits, symmetric=symmetric)
    assert (np.abs(decoded.astype(np.float64) - x) <= s * 0.50002).all()


@profile
@given(matrices, forms, grains)
def test_encoding_what_was_decoded_gives_the_codes(x, form, grain):
    s, z, bits, symmetric = _params(x, form, grain)
    codes = quantize(x, s, z, bits=bits, symmetric=symmetric)
    again = quantize(dequantize(codes, s, z), s, z, bits=bits, symmetric=symmetric)
    np.testing.assert_array_equal(again, codes)


@profile
@given(matrices, forms)
def test_larger_values_never_get_smaller_codes(x, form):
    s, z, bits, symmetric = _params(x, form, "tensor")
    ordered = np.sort(x, axis=None)[None]
    codes = quantize(ordered, s, z, bits=bits, symmetric=symmetric).astype(np.int64)
    assert (np.diff(codes) >= 0).all()


@profile
@given(matrices)
def test_symmetric_codes_of_the_negative_are_the_negative_codes(x):
    s, z, bits, symmetric = _params(x, (8, True), "tensor")
    codes = quantize(x, s, z, bits=bits, symmetric=symmetric)
    np.testing.assert_array_equal(quantize(-x, s, z, bits=bits, symmetric=symmetric), -codes)


@profile
@given(matrices, forms, st.integers(0, 2**64 - 1))
def test_stochastic_codes_are_a_neighbour_and_belong_to_the_row(x, form, seed):
    s, z, bits, symmetric = _params(x, form, "tensor")
    options = {"bits": bits, "symmetric": symmetric, "rounding": "stochastic", "seed": seed}
    codes = quantize(x, s, z, **options)
    nearest = quantize(x, s, z, bits=bits, symmetric=symmetric).astype(np.int64)
    assert (np.abs(codes - nearest) <= 1).all()
    np.testing.assert_array_equal(quantize(x[-1:], s, z, **options), codes[-1:])


@pytest.mark.parametrize("form", [(8, True), (8, False)])
def test_a_fine_grid_meets_every_bound_at_once(form):
    bits, symmetric = form
    x = np.linspace(-3, 5, 60_001, dtype=np.float32)[None]
    s, z = qparams(-3, 5, bits=bits, symmetric=symmetric)
    codes = quantize(x, s, z, bits=bits, symmetric=symmetric).astype(np.int64)
    assert set(np.diff(codes[0])) == {0, 1}
    assert np.abs(fake_quantize(x, s, z, bits=bits, symmetric=symmetric) - x).max() <= s * 0.50002
