from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fewbits.numerics import fake_quantize, observer, observer_names, qparams, to_codes
from fewbits.numerics.codebooks import lloyd_max_fit

values = st.one_of(
    st.floats(-100, 100, width=32),
    st.floats(-(2.0**49), 2.0**49, width=32),
    st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 2.0**-126, 1.0, -1.0, 2.0, 1e15, -1e15]),
).map(np.float32)
matrices = st.tuples(st.integers(1, 20), st.sampled_from([1, 2, 4])).flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=values)
)
order_free = st.sampled_from([name for name in observer_names() if name != "moving_average"])
grains = st.sampled_from(["tensor", "dimension", "group:1"])
forms = st.sampled_from([(8, True), (8, False), (4, True), (3, False), (2, True)])
profile = settings(max_examples=80, deadline=None)


def _watch(name, grain):
    few = {"bins": 512} if name == "entropy" else {}
    return observer(name, grain, **few)


@profile
@given(matrices, order_free, grains, forms, st.data())
def test_any_split_and_any_merge_give_one_range(x, name, grain, form, data):
    bits, symmetric = form
    whole = _watch(name, grain).update(x).range(bits=bits, symmetric=symmetric)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(x)), max_size=4)))
    pieces = data.draw(st.permutations(np.split(x, cuts)))
    streamed, merged = _watch(name, grain), _watch(name, grain)
    for piece in pieces:
        streamed.update(piece)
        merged.merge(_watch(name, grain).update(piece))
    for other in (streamed, merged):
        assert other.rows == len(x)
        np.testing.assert_array_equal(other.range(bits=bits, symmetric=symmetric), whole)


@profile
@given(matrices, st.sampled_from(observer_names()), grains, forms)
def test_every_range_is_finite_ordered_and_usable(x, name, grain, form):
    bits, symmetric = form
    low, high = _watch(name, grain).update(x).range(bits=bits, symmetric=symmetric)
    assert np.isfinite(low).all()
    assert np.isfinite(high).all()
    assert (low <= high).all()
    s, z = qparams(low, high, bits=bits, symmetric=symmetric)
    assert np.isfinite(fake_quantize(x, s, z, bits=bits, symmetric=symmetric)).all()


@profile
@given(matrices, st.integers(2, 16))
def test_fitted_codebooks_are_ordered_and_codes_monotone(x, levels):
    centroids, thresholds = lloyd_max_fit(x, levels)
    assert (np.diff(centroids) >= 0).all()
    assert centroids.min() >= np.float32(min(x.min(), centroids.min()))
    codes = to_codes(np.sort(x, axis=None)[None], thresholds).astype(np.int64)
    assert (np.diff(codes) >= 0).all()
    assert codes.max() < levels
