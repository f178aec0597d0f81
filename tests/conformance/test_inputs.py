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
    return not made.center and not (variant.kind == "binary" and static)


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


PARAMETERS = [
    ("int8", {"metric": "dot"}, "metric"),
    ("int8", {"metric": None}, "metric"),
    ("int8", {"granularity": "row"}, "granularity"),
    ("int8", {"granularity": "group:0"}, "group"),
    ("int8", {"granularity": 3}, "granularity"),
    ("int8", {"observer": "best"}, "observer"),
    ("int8", {"observer": "percentile:x"}, "observer"),
    ("int8", {"observer": "mse:3"}, "observer"),
    ("int8", {"observer": None}, "observer"),
    ("int8", {"rounding": "up"}, "rounding"),
    ("int8", {"seed": -1}, "seed"),
    ("int8", {"seed": 1.5}, "seed"),
    ("int8", {"seed": 2**64}, "seed"),
    ("int8", {"symmetric": "no"}, "symmetric"),
    ("int8", {"symmetric": None}, "symmetric"),
    ("int8", {"dynamic": 1}, "dynamic"),
    ("int8", {"center": "mean"}, "center"),
    ("int8", {"correct": 0}, "correct"),
    ("int8", {"dynamic": True, "center": True}, "center"),
    ("int8", {"dynamic": True, "symmetric": False, "correct": True}, "correct"),
    ("int8", {"bits": 3}, "bits"),
    ("int8", {"dims": 3}, "dims"),
    ("int8", {"mean": 3}, "mean"),
    ("binary", {"query": "float"}, "query"),
    ("float16", {"center": True}, "float16"),
    ("float16", {"correct": True}, "float16"),
    ("float16", {"dynamic": True}, "float16"),
    ("float16", {"granularity": "vector"}, "float16"),
    ("float16", {"rounding": "stochastic"}, "float16"),
    ("int3", {}, "binary, float16, int4, int8, ternary"),
    (None, {}, "quantizer"),
    (["int8"], {}, "quantizer"),
]


@pytest.mark.parametrize(("kind", "params", "word"), PARAMETERS)
def test_impossible_parameters_are_refused_by_name(kind, params, word):
    from fewbits.vectors import make_quantizer

    with pytest.raises(InputError, match=word):
        make_quantizer(kind, **params)


def test_a_group_that_does_not_divide_the_width_is_refused_and_nothing_is_learned():
    from fewbits.vectors import Int8

    quantizer = Int8(granularity="group:5")
    with pytest.raises(InputError, match="group size 5 must divide the 12 columns"), quiet():
        quantizer.fit(sample(64, D))
    assert not quantizer.fitted
    assert quantizer.dims is None


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


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_rows_at_both_ends_of_the_range_can_be_centred(variant):
    x = np.full((300, D), 9e14, np.float32)
    x[::3] *= -1
    if variant.kind == "float16":
        x /= np.float32(1e12)
    quantizer = variant.make(D).fit(x)
    codes = quantizer.encode(x)
    assert len(np.unique(codes, axis=0)) == 2
    assert np.isfinite(quantizer.decode(codes)).all()
    assert np.isfinite(quantizer.score(x[:2], codes)).all()
