from __future__ import annotations

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.numerics import (
    MIN_SCALE,
    clipped_fraction,
    code_range,
    dequantize,
    extrema,
    fake_quantize,
    qparams,
    quantize,
)

FORMS = [(b, True) for b in range(2, 9)] + [(b, False) for b in range(1, 9)]
GRAINS = ["tensor", "dimension", "vector", "group:4"]


@pytest.fixture
def x():
    rng = np.random.default_rng(3)
    return (rng.standard_normal((40, 12)) * rng.uniform(0.1, 9, 12) + 1).astype(np.float32)


@pytest.mark.parametrize(
    ("bits", "symmetric", "expected"),
    [(8, True, (-127, 127)), (4, True, (-7, 7)), (2, True, (-1, 1)), (8, False, (0, 255)),
     (4, False, (0, 15)), (1, False, (0, 1))],
)  # fmt: skip
def test_the_code_range_is_known(bits, symmetric, expected):
    assert code_range(bits, symmetric) == expected


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [-1, 0, 9, 16, 8.0, True, None, "8"])
def test_other_bits_are_refused(bits, symmetric):
    with pytest.raises(InputError, match="bits"):
        code_range(bits, symmetric)


def test_one_symmetric_bit_is_refused():
    with pytest.raises(InputError, match="at least 2"):
        code_range(1, True)


@pytest.mark.parametrize(
    ("low", "high", "bits", "symmetric", "scale", "zero_point"),
    [
        (-1, 1, 8, True, 1 / 127, 0),
        (-0.5, 2, 8, True, 2 / 127, 0),
        (-7, 3, 4, True, 1, 0),
        (0, 255, 8, False, 1, 0),
        (-128, 127, 8, False, 1, 128),
        (-255, 0, 8, False, 1, 255),
        (-1, 2, 2, False, 1, 1),
        (3, 15, 4, False, 1, 0),  # widened to hold 0
        (-15, -3, 4, False, 1, 15),
        (-2.5, 252.5, 8, False, 1, 2),  # half to even
        (0, 0, 8, True, 1, 0),
        (0, 0, 8, False, 1, 0),
    ],
)
def test_qparams_agree_with_worked_examples(low, high, bits, symmetric, scale, zero_point):
    s, z = qparams(low, high, bits=bits, symmetric=symmetric)
    assert s.dtype == np.float32
    assert z.dtype == np.int32
    assert s.shape == z.shape == (1,)
    assert s[0] == np.float32(scale)
    assert z[0] == zero_point


@pytest.mark.parametrize("shape", [(1,), (5,), (4, 1), (4, 3)])
def test_qparams_keep_the_shape(shape):
    s, z = qparams(-np.ones(shape), np.ones(shape), bits=8, symmetric=False)
    assert s.shape == z.shape == shape


@pytest.mark.parametrize(("bits", "symmetric"), FORMS)
@pytest.mark.parametrize("value", [1e-45, 1e-38, 1e-30, 1e-3, 1, 1e15, -1e15, -1e-40])
def test_a_constant_tensor_decodes_close_to_itself(value, bits, symmetric):
    x = np.full((3, 4), value, dtype=np.float32)
    low, high = extrema(x, "tensor")
    s, z = qparams(low, high, bits=bits, symmetric=symmetric)
    decoded = fake_quantize(x, s, z, bits=bits, symmetric=symmetric)
    assert np.isfinite(decoded).all()
    assert np.abs(decoded - x).max() <= s[0] * 0.50001
    assert s[0] >= MIN_SCALE


@pytest.mark.parametrize(("bits", "symmetric"), FORMS)
@pytest.mark.parametrize("reach", [(0, 0), (-3, 5), (2, 9), (-9, -2), (-1e-40, 1e-40)])
def test_zero_is_decoded_exactly(reach, bits, symmetric):
    s, z = qparams(*reach, bits=bits, symmetric=symmetric)
    zero = np.zeros((2, 3), dtype=np.float32)
    np.testing.assert_array_equal(fake_quantize(zero, s, z, bits=bits, symmetric=symmetric), zero)


@pytest.mark.parametrize("value", [1e15, -1e15])
def test_the_least_scale_never_overflows(value):
    x = np.full((1, 2), value, dtype=np.float32)
    with np.errstate(all="raise"):
        codes = quantize(x, MIN_SCALE, bits=8, symmetric=True)
    assert (codes == np.sign(value) * 127).all()


@pytest.mark.parametrize(
    ("low", "high"),
    [(1, 0), (np.nan, 1), (0, np.inf), (-np.inf, 0), (0, 2e15), ([0, 1], [1, 0]), ([0, 0], [1])],
)
def test_impossible_ranges_are_refused(low, high):
    with pytest.raises(InputError):
        qparams(low, high, bits=8, symmetric=True)


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize(("bits", "symmetric"), FORMS)
def test_decoding_is_within_half_a_step_inside_the_range(x, grain, bits, symmetric):
    s, z = qparams(*extrema(x, grain), bits=bits, symmetric=symmetric)
    decoded = fake_quantize(x, s, z, bits=bits, symmetric=symmetric)
    step = s.max() if grain == "tensor" else np.repeat(s, x.shape[1] // s.shape[-1], axis=-1)
    assert (np.abs(decoded - x) <= step * 0.50001).all()


@pytest.mark.parametrize(("zero_point", "symmetric"), [(0, True), (10, False), (11, False)])
def test_quotients_halfway_go_to_the_even_level(zero_point, symmetric):
    x = np.float32([[0.25, 0.75, 1.25, -0.25, -0.75, -1.25]])
    codes = quantize(x, 0.5, zero_point, bits=8, symmetric=symmetric).astype(int)
    assert (codes - zero_point).tolist() == [[0, 2, 2, 0, -2, -2]]


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize(("bits", "symmetric"), FORMS)
def test_codes_agree_with_a_loop_in_python(x, grain, bits, symmetric):
    s, z = qparams(*extrema(x, grain), bits=bits, symmetric=symmetric)
    codes = quantize(x, s, z, bits=bits, symmetric=symmetric)
    lowest, highest = code_range(bits, symmetric)
    for i, j in ((0, 0), (3, 5), (17, 11), (39, 4), (39, 7)):
        at = {"tensor": (0,), "dimension": (j,), "vector": (i, 0), "group:4": (j // 4,)}[grain]
        level = round(float(x[i, j] / s[at])) + int(z[at])  # Python rounds half to even
        assert codes[i, j] == min(max(level, lowest), highest)


@pytest.mark.parametrize(("bits", "symmetric"), FORMS)
def test_codes_have_the_declared_type_and_range(x, bits, symmetric):
    s, z = qparams(-1, 1, bits=bits, symmetric=symmetric)
    codes = quantize(x * 100, s, z, bits=bits, symmetric=symmetric)
    assert codes.dtype == (np.int8 if symmetric else np.uint8)
    assert (int(codes.min()), int(codes.max())) == code_range(bits, symmetric)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), [[1, 1, 1, 1], [1, 1, 1, 1]]),
        ((1,), [[1, 1, 1, 1], [1, 1, 1, 1]]),
        ((2,), [[1, 1, 2, 2], [1, 1, 2, 2]]),
        ((4,), [[1, 2, 3, 4], [1, 2, 3, 4]]),
        ((2, 1), [[1, 1, 1, 1], [2, 2, 2, 2]]),
        ((2, 2), [[1, 1, 2, 2], [3, 3, 4, 4]]),
        ((1, 4), [[1, 2, 3, 4], [1, 2, 3, 4]]),
    ],
)
def test_the_shape_of_the_scale_says_what_it_serves(shape, expected):
    scale = np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32).reshape(shape)
    ones = np.ones((2, 4), dtype=np.int8)
    np.testing.assert_array_equal(dequantize(ones, scale), expected)
    codes = quantize(np.float32(expected), scale, bits=8, symmetric=True)
    np.testing.assert_array_equal(codes, ones)


@pytest.mark.parametrize("shape", [(3,), (8,), (0,), (3, 1), (3, 4), (2, 3), (1, 1, 1)])
def test_a_scale_that_does_not_fit_is_refused(shape):
    with pytest.raises(InputError, match="scale"):
        quantize(np.ones((2, 4), np.float32), np.ones(shape), bits=8, symmetric=True)


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf, [1, 0, 1, 1]])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(InputError, match="scale"):
        quantize(np.ones((2, 4), np.float32), scale, bits=8, symmetric=True)


@pytest.mark.parametrize(
    ("zero_point", "symmetric"),
    [(1, True), (-1, True), (-1, False), (16, False), (0.0, False), ([0, 0, 0], False)],
)
def test_a_zero_point_outside_the_codes_is_refused(zero_point, symmetric):
    with pytest.raises(InputError, match="zero_point"):
        quantize(np.ones((2, 4), np.float32), 1, zero_point, bits=4, symmetric=symmetric)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_values_that_are_no_numbers_are_refused_by_place(bad):
    x = np.ones((3, 4), dtype=np.float32)
    x[2, 1] = bad
    with pytest.raises(InputError, match=r"x\[2, 1\]"):
        quantize(x, 1, bits=8, symmetric=True)
    with pytest.raises(InputError, match=r"x\[2, 1\]"):
        clipped_fraction(x, 1, bits=8, symmetric=True)


@pytest.mark.parametrize("codes", [np.ones(4, np.int8), np.ones((2, 4), np.int16), [[1.0]]])
def test_codes_of_another_type_or_shape_are_refused(codes):
    with pytest.raises(InputError, match="codes"):
        dequantize(codes, 1)


def test_an_unknown_rounding_is_refused(x):
    with pytest.raises(InputError, match="rounding"):
        quantize(x, 1, bits=8, symmetric=True, rounding="up")


def test_the_clipped_fraction_counts_what_saturates():
    x = np.float32([[-130, -127.4, 127.4, 127.6]])
    assert clipped_fraction(x, 1, bits=8, symmetric=True) == 0.5
    assert clipped_fraction(x, 1, 128, bits=8, symmetric=False) == 0.5
    assert clipped_fraction(x, 2, bits=8, symmetric=True) == 0
    assert clipped_fraction(x[:0], 2, bits=8, symmetric=True) == 0


@pytest.mark.parametrize(("bits", "symmetric"), FORMS)
def test_stochastic_codes_are_unbiased(bits, symmetric):
    x = np.random.default_rng(5).uniform(-0.999, 0.999, (4000, 8)).astype(np.float32)
    s, z = qparams(-1, 1, bits=bits, symmetric=symmetric)
    lowest, highest = code_range(bits, symmetric)
    inside = (x > s * (lowest - z)) & (x < s * (highest - z))
    y = fake_quantize(x, s, z, bits=bits, symmetric=symmetric, rounding="stochastic", seed=1)
    error = (y.astype(np.float64) - x)[inside] / s
    assert abs(error.mean()) < 5 * np.sqrt(error.var() / error.size)
    assert np.abs(error).max() < 1.0001


def test_stochastic_codes_do_not_depend_on_the_batch(x):
    options = {"bits": 4, "symmetric": True, "rounding": "stochastic", "seed": 11}
    whole = quantize(x, 0.5, **options)
    parts = [quantize(x[i : i + 1], 0.5, **options) for i in range(len(x))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (whole != quantize(x, 0.5, **{**options, "seed": 12})).any()


@pytest.mark.parametrize("rows", [0, 1])
def test_empty_and_single_batches_keep_their_shape(rows):
    x = np.ones((rows, 5), dtype=np.float32)
    for rounding in ("nearest", "stochastic"):
        codes = quantize(x, 1, bits=8, symmetric=True, rounding=rounding)
        assert codes.shape == dequantize(codes, 1).shape == (rows, 5)


def test_the_input_is_never_modified(x):
    before = x.copy()
    x.flags.writeable = False
    fake_quantize(x, 0.1, bits=8, symmetric=True)
    fake_quantize(x, 0.1, bits=8, symmetric=True, rounding="stochastic")
    np.testing.assert_array_equal(x, before)
