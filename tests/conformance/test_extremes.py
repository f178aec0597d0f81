"""Extreme rows: empty, zero, subnormal, huge, beyond what a kind can hold. Results stay finite."""

from __future__ import annotations

import numpy as np
import pytest
from variants import alike, cases, quiet, same_bits, sample

from fewbits.errors import InputError

CASES = cases()
DEFAULTS = [v for v in CASES if v.label == "default"]
D = 12


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_empty_batches_give_empty_results(variant):
    quantizer = variant.fitted(D)
    codes = quantizer.encode(np.empty((0, D), np.float32))
    assert codes.shape == (0, quantizer.code_size)
    assert codes.dtype == np.uint8
    assert quantizer.decode(codes).shape == (0, D)
    assert quantizer.score(sample(3, D), codes).shape == (3, 0)
    assert quantizer.score(sample(1, D)[0], codes).shape == (0,)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("variant", CASES, ids=str)
def test_a_single_row_of_few_dimensions_is_encoded(variant, d):
    with quiet():
        quantizer = variant.make(d).fit(sample(1, d))
    codes = quantizer.encode(sample(1, d))
    assert np.isfinite(quantizer.decode(codes)).all()
    assert np.isfinite(quantizer.score(sample(2, d), codes)).all()


SHAPES = {
    "zero rows": lambda: np.zeros((4, D), np.float32),
    "subnormal": lambda: np.full((4, D), 1e-41, np.float32) * np.arange(D, dtype=np.float32),
    "smallest": lambda: np.full((4, D), 1.4e-45, np.float32),
    "minus zero": lambda: np.full((4, D), -0.0, np.float32),
    "largest": lambda: np.full((4, D), 1e15, np.float32) * (-1.0) ** np.arange(D, dtype=np.float32),
    "far from the calibrated": lambda: sample(4, D) * np.float32(1e14),
    "one value": lambda: np.eye(4, D, dtype=np.float32) * np.float32(1e15),
    "tiny and large": lambda: np.tile(np.array([1e-30, 1e14] * (D // 2), np.float32), (4, 1)),
}


@pytest.mark.parametrize("fitted", ["on normal rows", "on themselves"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variant", CASES, ids=str)
def test_extreme_rows_give_finite_vectors_and_scores(variant, shape, fitted):
    x = SHAPES[shape]()
    if variant.kind == "float16" and variant.metric != "cosine":
        x = np.clip(x, -65000, 65000)
    quantizer = variant.fitted(D)
    if fitted == "on themselves":
        with quiet():
            quantizer = variant.make(D).fit(x)
    codes = quantizer.encode(x)
    assert np.isfinite(quantizer.decode(codes)).all()
    for q in (x, sample(3, D), np.zeros((1, D), np.float32), np.full((1, D), 1e15, np.float32)):
        assert np.isfinite(quantizer.score(q, codes)).all()
        assert quantizer.search(q, codes, 4)[1].shape == (len(q), 4)


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_minus_zero_encodes_as_zero(variant):
    quantizer = variant.fitted(D)
    x = sample(4, D)
    x[:, ::2] = 0
    minus = np.where(x == 0, np.float32(-0.0), x)
    if variant.kind == "float16":  # a half keeps the sign of zero, which no score sees
        q = sample(3, D, seed=1)
        assert np.array_equal(
            quantizer.score(q, quantizer.encode(minus)), quantizer.score(q, quantizer.encode(x))
        )
        return
    assert same_bits(quantizer.encode(minus), quantizer.encode(x))


def stands_for_zero(variant):
    """Whether the code of a zero row means exactly zero: one static bit has no code for it."""
    made = variant.make(D)
    static = not variant.params.get("dynamic")
    return not getattr(made, "center", True) and not (variant.kind == "binary" and static)


@pytest.mark.parametrize(
    "variant", [v for v in CASES if v.metric != "l2" and stands_for_zero(v)], ids=str
)
def test_a_zero_row_scores_zero(variant):
    quantizer = variant.fitted(D)
    codes = quantizer.encode(np.zeros((1, D), np.float32))
    q = sample(5, D)
    scores = np.abs(quantizer.score(q, codes))[:, 0]
    if quantizer.form().step_rule == "offset":  # u and the zero-point cancel in float32 only
        assert np.all(scores <= 1e-5 * np.abs(q).sum(axis=1))
    else:
        assert np.all(scores == 0)


def test_halves_beyond_their_range_are_refused_and_do_not_fix_the_width():
    (variant,) = (v for v in DEFAULTS if str(v) == "float16-default-ip")
    quantizer = variant.make(D)
    x = sample(4, D)
    x[2, 3] = 65520
    with pytest.raises(InputError, match=r"x\[2, 3\] is 65520, float16 holds up to 65504"):
        quantizer.encode(x)
    assert quantizer.dims is None
    x[2, 3] = np.nextafter(np.float32(65520), np.float32(0))
    assert quantizer.decode(quantizer.encode(x))[2, 3] == 65504


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_rows_at_both_ends_of_the_range_can_be_centred(variant):
    x = np.full((300, D), 9e14, np.float32)
    x[::3] *= -1
    if variant.kind == "float16":
        x /= np.float32(1e12)
    with alike(variant):
        quantizer = variant.make(D).fit(x)
    codes = quantizer.encode(x)
    assert len(np.unique(codes, axis=0)) == 2
    assert np.isfinite(quantizer.decode(codes)).all()
    assert np.isfinite(quantizer.score(x[:2], codes)).all()
