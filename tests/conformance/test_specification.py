"""Native code and the numpy specification return the same bits, at every CPU level."""

from __future__ import annotations

import numpy as np
import pytest
from variants import Variant, at_every_level, cases, same_bits, sample

from fewbits.vectors import simd_levels, specification
from fewbits.vectors.queries import prepare

SHORT = [1, 2, 5, 7, 8, 9, 16, 17, 33, 65, 129]
LONG = [3, 15, 31, 63, 64, 100, 127, 128, 255, 256, 257, 384, 385]
ALL = [*SHORT, *LONG]
LINEAR = cases(linear=True)
BY_WIDTH = [
    pytest.param(v, d, id=f"{v}-{d}")
    for v in LINEAR
    for d in (ALL if v.label == "default" else SHORT)
]

# Rows that sit on the edges of what encoders decide: ties, limits, zeros of both signs.
EDGES = [0.0, -0.0, 0.5, -0.5, 1.0, 1e-45, -1e-38, 2.0**-30, 1e15, -1e15, 3.0e7, 127.5, 1e-20]


def edge_rows(d: int) -> np.ndarray:
    """Every edge value as a constant row, alone in a row of zeros, and all in one row."""
    values = np.array(EDGES, dtype=np.float32)
    constant = np.repeat(values[:, None], d, axis=1)
    single = np.zeros_like(constant)
    single[np.arange(len(values)), np.arange(len(values)) % d] = values
    return np.vstack([constant, single, np.resize(values, (1, d))])


def encodable(variant: Variant, x: np.ndarray) -> np.ndarray:
    """Halves of vectors that are not normalised end at 65,504."""
    if variant.kind == "float16" and variant.metric != "cosine":
        return np.clip(x, -65000, 65000)
    return x


def specified(quantizer: object, x: np.ndarray) -> np.ndarray:
    seed = quantizer.seed if quantizer.rounding == "stochastic" else None
    return specification.encode(x, quantizer.form(), seed)


@pytest.mark.parametrize(("variant", "d"), BY_WIDTH)
def test_codes_are_those_of_the_specification(variant, d):
    quantizer = variant.fitted(d)
    x = sample(37, d, seed=1)
    found = at_every_level(lambda: quantizer.encode(x))
    expected = specified(quantizer, x)
    assert [same_bits(codes, expected) for codes in found] == [True] * len(simd_levels())


@pytest.mark.parametrize(("variant", "d"), BY_WIDTH)
def test_scores_are_those_of_the_specification(variant, d):
    quantizer = variant.fitted(d)
    codes, q = quantizer.encode(sample(41, d, seed=2)), sample(5, d, seed=3)
    expected = specification.score(prepare(q, quantizer.form()), codes, quantizer.form())
    found = at_every_level(lambda: quantizer.score(q, codes))
    assert [same_bits(scores, expected) for scores in found] == [True] * len(simd_levels())


@pytest.mark.parametrize("d", [1, 7, 16, 33])
@pytest.mark.parametrize("variant", LINEAR, ids=str)
def test_codes_of_edge_values_are_those_of_the_specification(variant, d):
    quantizer = variant.fitted(d)
    x = encodable(variant, edge_rows(d))
    with np.errstate(all="ignore"):
        expected = specified(quantizer, x)
    for codes in at_every_level(lambda: quantizer.encode(x)):
        differing = np.flatnonzero((codes != expected).any(axis=1))
        assert differing.tolist() == []


@pytest.mark.parametrize("d", [1, 7, 16, 33])
@pytest.mark.parametrize("variant", LINEAR, ids=str)
def test_scores_of_edge_values_are_finite_and_those_of_the_specification(variant, d):
    quantizer = variant.fitted(d)
    codes = quantizer.encode(encodable(variant, edge_rows(d)))
    q = edge_rows(d)
    with np.errstate(all="ignore"):
        expected = specification.score(prepare(q, quantizer.form()), codes, quantizer.form())
    assert np.isfinite(expected).all()
    for scores in at_every_level(lambda: quantizer.score(q, codes)):
        assert same_bits(scores, expected)


@pytest.mark.parametrize("variant", LINEAR, ids=str)
def test_decoded_vectors_do_not_depend_on_the_level(variant):
    quantizer = variant.fitted(33)
    codes = quantizer.encode(sample(9, 33, seed=1))
    first, *others = at_every_level(lambda: quantizer.decode(codes))
    assert all(same_bits(other, first) for other in others)
    assert first.dtype == np.float32
    assert first.shape == (9, 33)


@pytest.mark.parametrize("variant", LINEAR, ids=str)
def test_a_code_row_has_the_size_that_its_form_says(variant):
    for d in (v for v in ALL if variant.label == "default" or v in SHORT):
        quantizer = variant.fitted(d)
        codes = quantizer.encode(sample(2, d))
        assert codes.shape == (2, quantizer.code_size) == (2, quantizer.form().code_size)


@pytest.mark.parametrize("variant", LINEAR, ids=str)
def test_the_same_rows_encode_to_the_same_bytes_with_any_number_of_threads(variant):
    quantizer = variant.fitted(129)
    x = np.tile(sample(31, 129, seed=1), (200, 1))[:5000]  # enough work for three threads
    one = quantizer.encode(x[:31])
    for threads in (1, 2, 5):
        codes = quantizer.encode(
            x[: 2600 if quantizer.rounding == "nearest" else 62], threads=threads
        )
        assert same_bits(codes, np.resize(one, codes.shape))
