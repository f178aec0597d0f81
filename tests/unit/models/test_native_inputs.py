"""What the kernels' binding refuses: no id, length or array makes it read outside its memory."""

from __future__ import annotations

import numpy as np
import pytest
from native_fixtures import encoder_of, sequences, tensors_of

from fewbits import _native
from fewbits.models.native import Native, usable_cpus

F, NONE = np.float32, np.empty(0, dtype=np.float32)
ONES = np.ones(8, F)


def ids_of(*values):
    return np.array(values, dtype=np.int32)


def lengths_of(*values):
    return np.array(values, dtype=np.int64)


@pytest.fixture(scope="module", params=["bert", "roberta", "mpnet"])
def native(request):
    return Native(encoder_of(request.param).spec, tensors_of(request.param, "int8 smoothed"))


BIG = 2**62


@pytest.mark.parametrize("token", [-1, -(2**31), 400, 401, 2**31 - 1])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_id_outside_the_vocabulary_is_refused(native, token, at):
    ids = ids_of(5, 6, 7)
    ids[at] = token
    with pytest.raises(ValueError, match="an id exceeds the vocabulary"):
        native._model.run(ids, lengths_of(1, 2), 0, 1)


@pytest.mark.parametrize(
    "lengths", [(-1, 4), (BIG, 3), (BIG, BIG, BIG, BIG, 3), (-BIG,), (3, -(2**63))]
)
def test_a_length_outside_the_positions_is_refused(native, lengths):
    with pytest.raises(ValueError, match="a length exceeds"):
        native._model.run(ids_of(5, 6, 7), lengths_of(*lengths), 0, 1)


def test_the_longest_sequence_runs_and_one_token_more_is_refused(native):
    most = native.spec.max_length
    (ids,) = sequences(native.spec, [most + 1])
    rows, _ = native._model.run(ids[:most], lengths_of(most), 0, 1)
    assert np.isfinite(rows).all()
    with pytest.raises(ValueError, match="a length exceeds"):
        native._model.run(ids, lengths_of(most + 1), 0, 1)


def test_a_sequence_beyond_the_relative_bias_is_refused():
    model = Native(encoder_of("mpnet").spec, tensors_of("mpnet", "float32"))._model
    model.set_bias(np.zeros((4, 2 * 10 - 1), F))
    assert model.run(ids_of(*range(10)), lengths_of(10), 0, 1)[0].any()
    with pytest.raises(ValueError, match="a length exceeds the relative bias"):
        model.run(ids_of(*range(11)), lengths_of(11), 0, 1)


@pytest.mark.parametrize("lengths", [(), (2,), (3, 1), (0,)])
def test_lengths_that_do_not_add_up_are_refused(native, lengths):
    with pytest.raises(ValueError, match="lengths must add up to the ids"):
        native._model.run(ids_of(5, 6, 7), lengths_of(*lengths), 0, 1)


WRONG = {
    "wide ids": (np.array([5], np.int64), lengths_of(1), 0, 1),
    "unsigned ids": (np.array([5], np.uint32), lengths_of(1), 0, 1),
    "float ids": (np.array([5], F), lengths_of(1), 0, 1),
    "a table of ids": (np.array([[5]], np.int32), lengths_of(1), 0, 1),
    "every other id": (ids_of(5, 6, 7, 8)[::2], lengths_of(2), 0, 1),
    "narrow lengths": (ids_of(5), np.array([1], np.int32), 0, 1),
    "a list": ([5], [1], 0, 1),
    "a negative skip": (ids_of(5), lengths_of(1), -1, 1),
    "negative threads": (ids_of(5), lengths_of(1), 0, -1),
    "half a thread": (ids_of(5), lengths_of(1), 0, 1.5),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_arguments_of_another_type_are_refused(native, arguments):
    with pytest.raises(TypeError, match="incompatible function arguments"):
        native._model.run(*arguments)


def test_no_sequence_and_no_token_are_no_problem(native):
    rows, ends = native._model.run(ids_of(), lengths_of(), 0, 4)
    assert (rows.shape, rows.dtype) == ((0, 32), np.float32)
    assert ends.tolist() == [[0, 0, 0, 255, 0]] * 8
    rows, _ = native._model.run(ids_of(), lengths_of(0, 0, 0), 5, 4)
    assert rows.tolist() == [[0.0] * 32] * 3


@pytest.mark.parametrize(("skip", "threads"), [(2**63, 1), (0, 0), (0, 10**6), (3, 2**63)])
def test_any_skip_and_any_number_of_threads_will_do(native, skip, threads):
    rows, _ = native._model.run(ids_of(5, 6, 7), lengths_of(3), skip, threads)
    wanted, _ = native._model.run(ids_of(5, 6, 7), lengths_of(3), min(skip, 3), 1)
    np.testing.assert_array_equal(rows, wanted)
    assert rows.any() == (skip == 0)


def model(**choices):
    facts = {
        "hidden": 8,
        "heads": 2,
        "inner": 16,
        "layers": 1,
        "activation": 0,
        "position_offset": 0,
        "pooling": [2],
    }
    return _native.EncoderModel(**{**facts, **choices})


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"hidden": 0}, "hidden must be"),
        ({"hidden": 65_537, "heads": 1}, "hidden must be"),
        ({"inner": 0}, "inner must be"),
        ({"inner": 65_537}, "inner must be"),
        ({"heads": 0}, "hidden must be a multiple of heads"),
        ({"heads": 3}, "hidden must be a multiple of heads"),
        ({"activation": 5}, "activation must be"),
        ({"activation": -1}, "activation must be"),
        ({"position_offset": -1}, "position_offset must be"),
        ({"pooling": [0, 6]}, "pooling modes must be"),
        ({"pooling": [-1]}, "pooling modes must be"),
    ],
)
def test_a_model_that_cannot_be_is_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        model(**choices)


def raw(count):
    return np.zeros(count, dtype=np.uint8)


TABLES = {
    "slot": (3, raw(96), 0, NONE, 3),
    "element": (0, raw(96), 4, NONE, 3),
    "values": (0, raw(95), 0, NONE, 3),
    "values must": (0, raw(96), 0, NONE, 4),
    "values must be": (0, raw(96), 1, NONE, 3),
    "scale": (0, raw(24), 3, NONE, 3),
    "scale must": (0, raw(24), 3, ONES, 3),
}


@pytest.mark.parametrize("message", TABLES)
def test_a_table_of_another_size_is_refused(message):
    with pytest.raises(ValueError, match=message):
        model().set_table(*TABLES[message])


@pytest.mark.parametrize(
    ("weight", "bias"), [(ONES[:7], ONES), (ONES, ONES[:7]), (NONE, NONE), (np.ones(9, F), ONES)]
)
def test_a_norm_of_another_width_is_refused(weight, bias):
    with pytest.raises(ValueError, match="weight and bias must have"):
        model().set_norm(0, 0, weight, bias, 1e-5)


@pytest.mark.parametrize("shape", [(2, 4), (1, 5), (3, 5)])
def test_a_bias_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="bias must be"):
        model().set_bias(np.zeros(shape, F))


# layer, slot, values, element, n, k, scale, bias, take, symmetric, inverse, scale, zero
LINEAR = {
    "layer": 0,
    "slot": 1,
    "values": raw(16 * 8),
    "element": 3,
    "n": 8,
    "k": 8,
    "scale": ONES,
    "bias": ONES,
    "take": 2,
    "symmetric": False,
    "inverse": ONES,
    "fixed_scale": 1.0,
    "fixed_zero": 0,
}


def test_a_linear_that_fits_is_taken():
    model().set_linear(**LINEAR)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"layer": 1}, "no such layer"),
        ({"layer": -1}, "no such layer"),
        ({"slot": 4}, "slot 0 to 3"),
        ({"slot": -1}, "slot 0 to 3"),
        ({"slot": 0}, "shape does not fit its place"),
        ({"n": 7}, "shape does not fit its place"),
        ({"k": 16}, "shape does not fit its place"),
        ({"values": raw(16 * 8 - 1)}, "values do not hold"),
        ({"values": raw(16 * 9)}, "values do not hold"),
        ({"element": 4}, "element must be"),
        ({"element": 0}, "values do not hold"),
        ({"element": 0, "values": raw(16 * 8 * 4)}, "scale must have"),
        ({"element": 0, "values": raw(16 * 8 * 4), "scale": NONE}, "codes need int8 weights"),
        ({"scale": ONES[:3]}, "scale must have"),
        ({"bias": ONES[:3]}, "bias must have"),
        ({"take": 3}, "take 0 to 2"),
        ({"take": -1}, "take 0 to 2"),
        ({"inverse": NONE}, "inverse must have"),
        ({"inverse": ONES[:3]}, "inverse must have"),
        ({"take": 1, "inverse": ONES[:3]}, "inverse must have"),
        ({"fixed_zero": -1}, "zero point must be"),
        ({"fixed_zero": 256}, "zero point must be"),
    ],
)
def test_a_linear_that_does_not_fit_is_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        model().set_linear(**{**LINEAR, **choices})


def test_threads_are_those_this_process_may_use():
    assert usable_cpus() >= 1


def test_values_that_lie_anywhere_in_memory_give_the_same():
    """Mapped files hold values at any multiple of 8: kernels read a copy of those."""
    spec, tensors = encoder_of("bert").spec, tensors_of("bert", "int8 smoothed")
    plain = Native(spec, tensors)._model
    moved = Native(spec, tensors)._model
    linear = tensors.linears["layers.0.ffn_in"]
    codes = np.ascontiguousarray(linear.values).reshape(-1).view(np.uint8)
    room = np.zeros(codes.size + 128, dtype=np.uint8)
    start = -room.ctypes.data % 64 + 8
    shifted = room[start : start + codes.size]
    shifted[:] = codes
    taken = linear.activation
    moved.set_linear(
        0,
        2,
        shifted,
        3,
        linear.n,
        linear.k,
        linear.scale,
        linear.bias,
        1,
        False,
        taken.inverse,
        1.0,
        0,
    )
    room[:] = 1  # the copy is its own
    ids = np.concatenate(sequences(spec, [9, 40]))
    got, wanted = (each.run(ids, lengths_of(9, 40), 0, 1)[0] for each in (moved, plain))
    np.testing.assert_array_equal(got, wanted)
