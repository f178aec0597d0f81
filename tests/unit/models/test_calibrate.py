from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest

from fewbits.errors import CalibrationWarning, InputError
from fewbits.models.bias import corrected_bias
from fewbits.models.calibrate import ADVISED_TEXTS, calibrate
from fewbits.models.quantized import fixed_codes
from fewbits.models.recipe import Recipe, Row
from fewbits.models.smoothing import decoded
from fewbits.numerics import observer_names

WORDS = "the cat sat on a mat while rain fell and nobody came home before ten".split()


def texts(n, seed=0):
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, size=draw.integers(1, 12))) for _ in range(n)]


def static(**choices):
    return Recipe("test", (Row("*", weights="int8", activations="static", **choices),))


def inputs_of(encoder, items):
    """Return all rows that reach each linear, from one pass of the reference."""
    from fewbits.models.batching import batches
    from fewbits.models.reference import Reference

    found = {}

    def tap(name, x):
        found.setdefault(name.removesuffix(".input"), []).append(x.copy())

    for batch in batches(encoder.tokenizer.encode(items).ids, 4096):
        Reference(encoder.spec, encoder.weights)(batch, tap=tap)
    return {name: np.concatenate(parts) for name, parts in found.items()}


@pytest.fixture(scope="module")
def seen(tiny):
    return inputs_of(tiny, texts(80))


@pytest.fixture(scope="module")
def found(tiny):
    return calibrate(tiny, static(smooth="search"), texts(80))


def test_every_linear_is_calibrated_over_every_token(tiny, found, seen):
    assert list(found) == list(tiny.spec.linears())
    for name, calibrated in found.items():
        x = seen[name]
        assert calibrated.tokens == len(x)
        np.testing.assert_allclose(calibrated.mean, x.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(calibrated.second_moment, (x**2).mean(axis=0), rtol=1e-3)
        np.testing.assert_allclose(calibrated.absmax, np.abs(x).max(axis=0), rtol=1e-5)


def test_minmax_ranges_hold_every_calibration_value(found, seen):
    for name, calibrated in found.items():
        taken = calibrated.activation
        x = seen[name] / calibrated.smooth
        off = np.abs(decoded(seen[name], taken) - x)
        assert off.max() <= 0.51 * taken.scale + 0.5 * taken.scale  # the ends round the zero-point
        assert np.mean(off <= 0.501 * taken.scale) > 0.999


@pytest.mark.parametrize("name", observer_names())
@pytest.mark.parametrize("symmetric", [False, True])
def test_every_observer_gives_usable_ranges(tiny, seen, name, symmetric):
    recipe = static(smooth=0.8, observer=name, symmetric=symmetric)
    for linear, calibrated in calibrate(tiny, recipe, texts(80)).items():
        taken = calibrated.activation
        assert 0 <= taken.zero_point <= 255
        assert taken.zero_point == 128 or not symmetric
        x = seen[linear] / calibrated.smooth
        error = np.linalg.norm(decoded(seen[linear], taken) - x) / np.linalg.norm(x)
        assert error < 0.1


def test_an_iterator_is_read_once_and_gives_what_a_list_gives(tiny, found):
    again = calibrate(tiny, static(smooth="search"), iter(texts(80)))
    for name, calibrated in again.items():
        np.testing.assert_array_equal(calibrated.activation.inverse, found[name].activation.inverse)
        assert calibrated.ends == found[name].ends


def test_rows_that_are_not_static_get_statistics_alone(tiny):
    for calibrated in calibrate(tiny, Recipe.int8("dynamic"), texts(70)).values():
        assert calibrated.activation is calibrated.smooth is calibrated.ends is None
        assert calibrated.absmax.max() > 0


def test_a_corrected_bias_makes_outputs_right_on_average(tiny, seen):
    found = calibrate(tiny, static(smooth=0.8, observer="percentile"), texts(80))
    name = tiny.spec.linears()[0]
    w, bias = tiny.weights[f"{name}.weight"], tiny.weights[f"{name}.bias"]
    calibrated, x = found[name], seen[name]
    rounded = np.round(w * calibrated.smooth, 1)
    taken = decoded(x, calibrated.activation)
    fixed = corrected_bias(bias, w, rounded, calibrated)
    wanted = (x @ w.T + bias).mean(axis=0)
    before = np.abs((taken @ rounded.T + bias).mean(axis=0) - wanted).max()
    after = np.abs((taken @ rounded.T + fixed).mean(axis=0) - wanted).max()
    assert after < 1e-4 < before


def test_counts_of_ends_are_those_of_the_codes(found, seen):
    for name, calibrated in found.items():
        taken = calibrated.activation
        codes = fixed_codes(seen[name], taken.inverse, taken.zero_point)
        assert calibrated.ends.total <= codes.size
        if calibrated.ends.total == codes.size:
            assert calibrated.ends.low == np.count_nonzero(codes == 0)


def test_few_texts_give_a_warning_with_their_number(tiny):
    with pytest.warns(CalibrationWarning, match="from 5 texts"):
        calibrate(tiny, static(), texts(5))


def test_enough_texts_give_no_warning(tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(tiny, static(), texts(ADVISED_TEXTS))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "got 0 texts"),
        (iter(()), "got 0 texts"),
        ("one text", "single str"),
        (7, "iterable"),
        (["fine", 3], r"texts\[1\]"),
        (["fine", b"bytes"], r"texts\[1\]"),
        (["a"] * 70 + ["\ud800"], r"texts\[70\].*surrogate"),
    ],
)
def test_unusable_texts_are_refused(tiny, given, message):
    with pytest.raises(InputError, match=message):
        calibrate(tiny, static(), given)


def test_an_unknown_observer_is_refused(tiny):
    with pytest.raises(InputError, match="observer must be one of"):
        calibrate(tiny, static(observer="guess"), texts(64))


def test_progress_counts_texts(tiny):
    calls = []
    calibrate(tiny, static(), texts(100), progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (100, 100)


def test_memory_does_not_grow_with_the_number_of_texts(tiny, monkeypatch):
    monkeypatch.setattr("fewbits.models.inputs.SAMPLE_ROWS", 256)
    few = texts(64)

    def peak(rounds):
        tracemalloc.start()
        calibrate(tiny, Recipe.int8("dynamic"), (text for _ in range(rounds) for text in few))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(6) < 1.15 * peak(1)
