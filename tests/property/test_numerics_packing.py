from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewbits.errors import InputError
from fewbits.numerics import pack, pack_trits, packed_size, trits_size, unpack, unpack_trits

profile = settings(max_examples=150, deadline=None)


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
def test_every_width_and_length_comes_back(bits):
    rng = np.random.default_rng(bits)
    for d in range(1, 258):
        codes = rng.integers(0, 2**bits, (3, d), dtype=np.uint8)
        packed = pack(codes, bits)
        assert packed.shape == (3, packed_size(d, bits))
        np.testing.assert_array_equal(unpack(packed, bits, d), codes)


def test_trits_of_every_length_come_back():
    rng = np.random.default_rng(0)
    for d in range(1, 258):
        digits = rng.integers(0, 3, (3, d), dtype=np.uint8)
        packed = pack_trits(digits)
        assert packed.shape == (3, trits_size(d))
        np.testing.assert_array_equal(unpack_trits(packed, d), digits)


@profile
@given(st.sampled_from([8, 4, 2, 1]), st.integers(1, 40), st.binary(max_size=120))
def test_bytes_are_refused_or_come_back(bits, d, data):
    size = packed_size(d, bits)
    packed = np.frombuffer(data[: len(data) // size * size], np.uint8).reshape(-1, size)
    try:
        codes = unpack(packed, bits, d)
    except InputError:
        return
    np.testing.assert_array_equal(pack(codes, bits), packed)


@profile
@given(st.integers(1, 40), st.binary(max_size=60))
def test_trit_bytes_are_refused_or_come_back(d, data):
    size = trits_size(d)
    packed = np.frombuffer(data[: len(data) // size * size], np.uint8).reshape(-1, size)
    try:
        digits = unpack_trits(packed, d)
    except InputError:
        return
    np.testing.assert_array_equal(pack_trits(digits), packed)


@profile
@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(0, 2))
def test_packed_order_is_the_order_of_the_digits(digits, other):
    a, b = pack_trits([digits])[0].tobytes(), pack_trits([[*digits[:-1], other]])[0].tobytes()
    assert (a < b) == (digits[-1] < other)
