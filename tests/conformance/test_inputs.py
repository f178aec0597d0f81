"""What goes in: hostile numbers, odd arrays, wrong types and widths, at every public entry."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from variants import cases, quiet, same_bits, sample

from fewbits.errors import FewbitsError, InputError
from fewbits.vectors import Index

CASES = cases()
DEFAULTS = [v for v in CASES if v.label == "default"]
ONE_METRIC = [v for v in CASES if v.metric == "ip"]  # where the metric cannot matter
D = 12

HOSTILE = {"nan": np.nan, "inf": np.inf, "minus inf": -np.inf, "1e30": 1e30, "-1e30": -1e30}
PLACES = {"first": (0, 0), "middle": (7, 5), "last": (14, D - 1)}


def entries(quantizer, bad):
    """Return every call of a quantizer that takes vectors, by name."""
    codes = quantizer.encode(sample(4, D))
    rows = np.zeros((len(bad), 1), np.int64)
    return {
        "fit": lambda: quantizer.fit(bad),
        "encode": lambda: quantizer.encode(bad),
        "score": lambda: quantizer.score(bad, codes),
        "search": lambda: quantizer.search(bad, codes, 2),
        "score_rows": lambda: quantizer.score_rows(bad, codes, rows),
    }


def fresh(variant):
    """Return a quantizer of its own, fitted on `sample(64, D)`."""
    return variant.make(D).with_state(variant.fitted(D).state())


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("variant", ONE_METRIC, ids=str)
def test_numbers_that_are_not_finite_are_refused_by_place_and_change_nothing(variant, place, value):
    quantizer = fresh(variant)
    before = quantizer.encode(sample(5, D, seed=1))
    bad = sample(15, D).astype(np.float64)
    bad[PLACES[place]] = HOSTILE[value]
    row, column = PLACES[place]
    for name, call in entries(quantizer, bad).items():
        with pytest.raises(InputError, match=rf"\[{row}, {column}\] is "):
            call()
        assert same_bits(quantizer.encode(sample(5, D, seed=1)), before), name


ARRAYS = {
    "float64": lambda x: x.astype(np.float64),
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "big-endian": lambda x: x.astype(">f4"),
    "big-endian float64": lambda x: x.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every second column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "negative strides": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "unaligned": lambda x: (
        np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view("f4").reshape(x.shape)
    ),
    "list of lists": lambda x: x.tolist(),
    "tuple of arrays": tuple,
    "subclass": lambda x: x.view(type("Mine", (np.ndarray,), {})),
}


def plain(n, seed=0):
    """Return values that every float type holds exactly."""
    return (np.rint(sample(n, D, seed) * 16) / 16).astype(np.float32)


@pytest.mark.parametrize("how", ARRAYS)
@pytest.mark.parametrize("variant", ONE_METRIC, ids=str)
def test_an_array_of_any_layout_gives_the_codes_of_the_plain_one(variant, how):
    x, q = plain(64), plain(3, seed=1)
    with quiet():
        quantizer = variant.make(D).fit(ARRAYS[how](x))
        expected = variant.make(D).fit(x)
    codes = expected.encode(x)
    assert same_bits(quantizer.encode(ARRAYS[how](x)), codes)
    assert same_bits(quantizer.score(ARRAYS[how](q), codes), expected.score(q, codes))


@pytest.mark.parametrize("variant", ONE_METRIC, ids=str)
def test_read_only_and_memory_mapped_rows_are_taken(variant, tmp_path):
    x = plain(64)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    locked = x.copy()
    locked.flags.writeable = False
    expected = variant.fitted(D).encode(x)
    for given in (mapped, locked):
        quantizer = fresh(variant)
        assert same_bits(quantizer.encode(given), expected)
        codes = expected.copy()
        codes.flags.writeable = False
        assert np.isfinite(quantizer.decode(codes)).all()
        assert quantizer.search(given[:2], codes, 3)[1].shape == (2, 3)


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_inputs_are_never_modified(variant):
    x, q = sample(64, D), sample(3, D)
    rows = np.arange(5)
    before = x.tobytes(), q.tobytes(), rows.tobytes()
    with quiet():
        quantizer = variant.make(D).fit(x)
    codes = quantizer.encode(x)
    stored = codes.tobytes()
    quantizer.score(q, codes)
    quantizer.search(q, codes, 3, rows=rows)
    quantizer.decode(codes)
    quantizer.score_rows(q, codes, np.tile(rows, (3, 1)))
    assert (x.tobytes(), q.tobytes(), rows.tobytes()) == before
    assert codes.tobytes() == stored


@pytest.mark.parametrize("variant", ONE_METRIC, ids=str)
def test_what_comes_out_does_not_share_memory_with_what_goes_in(variant):
    quantizer = fresh(variant)
    x = sample(64, D)
    codes = quantizer.encode(x)
    decoded = quantizer.decode(codes)
    assert not np.shares_memory(codes, x)
    assert not np.shares_memory(decoded, codes)
    for array in (codes, decoded, quantizer.score(x, codes)):
        assert array.flags.writeable
        assert array.flags.c_contiguous


@pytest.mark.parametrize("variant", ONE_METRIC, ids=str)
def test_a_fitted_quantizer_does_not_see_later_changes_of_its_rows(variant):
    x = sample(300, D)
    quantizer = variant.make(D).fit(x)
    before = quantizer.encode(sample(5, D, seed=1))
    x *= -3
    assert same_bits(quantizer.encode(sample(5, D, seed=1)), before)


WRONG = {
    "ints": np.ones((3, D), int),
    "booleans": np.ones((3, D), bool),
    "complex": np.ones((3, D), complex),
    "objects": np.full((3, D), None),
    "strings": np.full((3, D), "1.0"),
    "dates": np.zeros((3, D), "M8[s]"),
    "ragged": [[1.0] * D, [1.0]],
    "three-dimensional": np.zeros((2, 3, D), np.float32),
    "no dimensions": np.float32(1),
    "too narrow": np.zeros((3, D - 1), np.float32),
    "too wide": np.zeros((3, D + 1), np.float32),
    "no columns": np.zeros((3, 0), np.float32),
    "None": None,
    "a string": "vectors",
    "a dict": {"x": 1.0},
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_what_is_no_matrix_of_floats_of_the_right_width_is_refused(variant, what):
    quantizer = variant.fitted(D)
    codes = quantizer.encode(sample(4, D))
    with pytest.raises(InputError, match=r"\bx\b"):
        quantizer.encode(WRONG[what])
    for call in (quantizer.score, lambda q, c: quantizer.search(q, c, 2)):
        with pytest.raises(InputError, match=r"\bq\b"):
            call(WRONG[what], codes)


@pytest.mark.parametrize("what", [w for w in WRONG if not w.startswith("too ")])
@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_what_is_no_matrix_of_floats_cannot_be_fitted_on(variant, what):
    quantizer = variant.make(D)
    with pytest.raises(InputError, match=r"\bx\b"):
        quantizer.fit(WRONG[what])
    assert quantizer.dims is None
    assert quantizer.calibration_rows is None


def test_one_dimensional_rows_are_refused_with_the_cure():
    with pytest.raises(InputError, match=r"x\[None, :\]"):
        DEFAULTS[0].fitted(D).encode(np.zeros(D, np.float32))


WRONG_CODES = {
    "wider": lambda c: np.hstack([c, c[:, :1]]),
    "narrower": lambda c: c[:, :-1],
    "signed": lambda c: c.view(np.int8),
    "floats": lambda c: c.astype(np.float32),
    "one-dimensional": lambda c: c[0],
    "three-dimensional": lambda c: c[None],
    "a list": lambda c: c.tolist(),
    "bytes": lambda c: c.tobytes(),
    "None": lambda c: None,
}


@pytest.mark.parametrize("what", WRONG_CODES)
@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_codes_that_encode_did_not_make_are_refused(variant, what):
    quantizer, q = variant.fitted(D), sample(2, D)
    codes = WRONG_CODES[what](quantizer.encode(sample(4, D)))
    for call in (
        lambda: quantizer.decode(codes),
        lambda: quantizer.score(q, codes),
        lambda: quantizer.search(q, codes, 1),
        lambda: quantizer.score_rows(q, codes, np.zeros((2, 1), np.int64)),
    ):
        with pytest.raises(InputError, match="codes"):
            call()


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_codes_of_any_stride_are_taken(variant):
    quantizer, q = variant.fitted(D), sample(2, D)
    codes = quantizer.encode(sample(20, D))
    expected = quantizer.score(q, codes)
    assert same_bits(quantizer.score(q, np.asfortranarray(codes)), expected)
    assert same_bits(quantizer.score(q, codes[::-1]), expected[:, ::-1].copy())
    assert same_bits(quantizer.decode(np.repeat(codes, 2, 0)[::2]), quantizer.decode(codes))


@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_an_index_refuses_hostile_queries_and_rows(variant):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        index = Index(variant.make(D)).add(sample(64, D))
    for value in HOSTILE.values():
        bad = sample(3, D).astype(np.float64)
        bad[1, 2] = value
        with pytest.raises(InputError, match=r"x\[1, 2\]"):
            index.add(bad)
        with pytest.raises(InputError, match=r"q\[1, 2\]"):
            index.search(bad)
        assert len(index) == 64
    for what, wrong in WRONG.items():
        if what == "no dimensions":
            continue
        with pytest.raises(FewbitsError):
            index.search(wrong)
        with pytest.raises(FewbitsError):
            index.add(wrong)
        assert len(index) == 64
