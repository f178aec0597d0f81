from __future__ import annotations

import copy
import dataclasses
import pickle
import tracemalloc

import numpy as np
import pytest

from fewbits.errors import InputError, NotFittedError
from fewbits.numerics import Observer, fake_quantize, observer, observer_names, qparams
from fewbits.numerics.calibration import _REGISTRY

NAMES = observer_names()
GRAINS = {"tensor": 1, "dimension": 12, "group:4": 3}
FORMS = [(8, True), (8, False), (4, True), (2, False)]
ORDER_FREE = [name for name in NAMES if name != "moving_average"]


@pytest.fixture
def x():
    rng = np.random.default_rng(8)
    return (rng.laplace(size=(600, 12)) * rng.uniform(0.01, 30, 12)).astype(np.float32)


def _ranges(watcher):
    return np.stack([np.stack(watcher.range(bits=b, symmetric=s)) for b, s in FORMS])


def test_the_names_are_known():
    assert NAMES == ["entropy", "minmax", "moving_average", "mse", "percentile"]


@pytest.mark.parametrize("name", NAMES)
def test_the_factory_makes_what_it_is_asked_for(name):
    watcher = observer(name, "group:4")
    assert watcher.name == name
    assert watcher.granularity == "group:4"
    assert watcher.rows == 0


def test_a_new_observer_is_one_class():
    @dataclasses.dataclass(eq=False)
    class Fixed(Observer, name="fixed"):
        bound: float = 1.0

        def _start(self, channels):
            self.channels = channels

        def _update(self, rows):
            pass

        def _merge(self, other):
            pass

        def _range(self, bits, symmetric):
            return np.full(self.channels, -self.bound), np.full(self.channels, self.bound)

    try:
        assert "fixed" in observer_names()
        low, high = (
            observer("fixed", "dimension", bound=2)
            .update(np.ones((1, 3)))
            .range(bits=8, symmetric=True)
        )
        assert low.tolist() == [-2] * 3
        assert high.tolist() == [2] * 3
        with pytest.raises(InputError, match="taken"):
            type("Again", (Fixed,), {}, name="fixed")
    finally:
        del _REGISTRY["fixed"]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("median", {}),
        ("minmax", {"bins": 64}),
        ("mse", {"percentile": 99.0}),
        ("percentile", {"percentile": 0.0}),
        ("percentile", {"percentile": 100.1}),
        ("percentile", {"percentile": float("nan")}),
        ("moving_average", {"momentum": 0.0}),
        ("moving_average", {"momentum": 1.5}),
        ("mse", {"bins": 100}),
        ("mse", {"bins": -4}),
        ("entropy", {"bins": 2.0}),
        ("minmax", {"granularity": "vector"}),
        ("mse", {"granularity": "group:0"}),
    ],
)
def test_impossible_parameters_are_refused(name, params):
    with pytest.raises(InputError):
        observer(name, **params)


@pytest.mark.parametrize("name", NAMES)
def test_a_range_before_any_rows_is_refused(name):
    watcher = observer(name)
    for _ in range(2):
        with pytest.raises(NotFittedError, match=name):
            watcher.range(bits=8, symmetric=True)
        watcher.update(np.zeros((0, 12), np.float32)).merge(observer(name))


@pytest.mark.parametrize("bits", [0, 1, 9, 8.0])
@pytest.mark.parametrize("name", NAMES)
def test_other_bits_are_refused(name, bits, x):
    with pytest.raises(InputError, match="bits"):
        observer(name).update(x).range(bits=bits, symmetric=True)


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("name", NAMES)
def test_ranges_have_one_entry_per_channel(name, grain, x):
    watcher = observer(name, grain).update(x)
    assert watcher.rows == 600
    for bits, symmetric in FORMS:
        low, high = watcher.range(bits=bits, symmetric=symmetric)
        assert low.dtype == high.dtype == np.float32
        assert low.shape == high.shape == (GRAINS[grain],)
        assert (low <= high).all()
        if symmetric:
            np.testing.assert_array_equal(low, -high)


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("name", NAMES)
def test_ranges_never_exceed_the_extremes_seen(name, grain, x):
    least, most = (
        bound for bound in observer("minmax", grain).update(x).range(bits=8, symmetric=False)
    )
    for bits, symmetric in FORMS:
        low, high = observer(name, grain).update(x).range(bits=bits, symmetric=symmetric)
        reach = np.maximum(-least, most)
        assert (low >= (-reach if symmetric else least)).all()
        assert (high <= (reach if symmetric else most)).all()


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("name", ORDER_FREE)
def test_neither_blocks_nor_order_change_a_range(name, grain, x):
    whole = _ranges(observer(name, grain).update(x))
    shuffled = x[np.random.default_rng(1).permutation(len(x))]
    for rows in (x, x[::-1], shuffled):
        watcher = observer(name, grain)
        for start in range(0, 600, 71):
            watcher.update(rows[start : start + 71])
        np.testing.assert_array_equal(_ranges(watcher), whole)


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("name", ORDER_FREE)
def test_merging_equals_one_pass(name, grain, x):
    whole = _ranges(observer(name, grain).update(x))
    parts = [observer(name, grain).update(p) for p in np.array_split(x, [1, 2, 100, 350])]
    for order in (range(5), (4, 2, 0, 1, 3)):
        total = observer(name, grain)
        for i in order:
            total.merge(copy.deepcopy(parts[i]))
        assert total.rows == 600
        np.testing.assert_array_equal(_ranges(total), whole)


@pytest.mark.parametrize("name", NAMES)
def test_merging_with_an_empty_observer_changes_nothing(name, x):
    full = observer(name, "dimension").update(x)
    before = _ranges(full)
    np.testing.assert_array_equal(_ranges(full.merge(observer(name, "dimension"))), before)
    np.testing.assert_array_equal(_ranges(observer(name, "dimension").merge(full)), before)
    np.testing.assert_array_equal(_ranges(full), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_merge_copies_what_it_takes(name, x):
    source = observer(name, "dimension").update(x)
    before = _ranges(source)
    observer(name, "dimension").merge(source).update(x * 100)
    np.testing.assert_array_equal(_ranges(source), before)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("minmax", "tensor", {}), ("mse", "tensor", {})),
        (("mse", "tensor", {}), ("entropy", "tensor", {})),
        (("mse", "tensor", {}), ("mse", "dimension", {})),
        (("mse", "tensor", {"bins": 64}), ("mse", "tensor", {"bins": 128})),
        (("percentile", "tensor", {"percentile": 99.0}), ("percentile", "tensor", {})),
        (("moving_average", "tensor", {"momentum": 0.5}), ("moving_average", "tensor", {})),
    ],
)
def test_unlike_observers_do_not_merge(a, b, x):
    mine, theirs = (observer(name, grain, **params).update(x) for name, grain, params in (a, b))
    before = _ranges(mine)
    with pytest.raises(InputError):
        mine.merge(theirs)
    np.testing.assert_array_equal(_ranges(mine), before)


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("name", NAMES)
def test_another_width_is_refused(name, grain, x):
    watcher = observer(name, grain).update(x)
    with pytest.raises(InputError, match="12 columns"):
        watcher.update(x[:, :8])
    with pytest.raises(InputError, match="columns"):
        watcher.merge(observer(name, grain).update(x[:, :8]))
    assert watcher.rows == 600


@pytest.mark.parametrize("name", NAMES)
def test_groups_that_do_not_divide_are_refused(name, x):
    watcher = observer(name, "group:5")
    with pytest.raises(InputError, match="must divide"):
        watcher.update(x)
    assert watcher.rows == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e15])
@pytest.mark.parametrize("name", NAMES)
def test_a_refused_block_leaves_no_trace(name, bad, x):
    watcher = observer(name).update(x)
    before, broken = _ranges(watcher), x.copy()
    broken[5, 7] = bad
    with pytest.raises(InputError, match=r"x\[5, 7\]"):
        watcher.update(broken)
    assert watcher.rows == 600
    np.testing.assert_array_equal(_ranges(watcher), before)


SPECIAL = {
    "one row": np.array([[3, -2, 0, 1e-45]]),
    "one value": np.full((9, 4), 5.0),
    "zeros": np.zeros((9, 4)),
    "negative zeros": np.full((9, 4), -0.0),
    "subnormals": np.array([[1e-45, -1e-45, 1e-40, 0]] * 3 + [[0, 0, 0, 0]]),
    "least normals": np.array([[1.2e-38, -1.2e-38, 0, 1e-37]] * 3),
    "huge": np.array([[1e15, -1e15, 0, 1]] * 3 + [[-1e15, 1e15, 1, 0]]),
    "huge and tiny": np.array([[1e15, 1e-45, -1e-45, 1e-30]] * 3 + [[1, 1, 1, 1]]),
    "one outlier": np.concatenate([np.full((99, 4), 0.01), [[1e6, -1e6, 1, 0]]]),
    "two values": np.array([[-1, 0, 0, 1], [1, 1, 0, 2]] * 8),
}


@pytest.mark.parametrize("case", SPECIAL)
@pytest.mark.parametrize("grain", ["tensor", "dimension", "group:2"])
@pytest.mark.parametrize("name", NAMES)
def test_special_data_gives_finite_ranges_and_codes(name, grain, case):
    x = SPECIAL[case].astype(np.float32)
    watcher = observer(name, grain)
    with np.errstate(all="raise", under="ignore"):
        watcher.update(x)
        for bits, symmetric in FORMS:
            low, high = watcher.range(bits=bits, symmetric=symmetric)
            assert np.isfinite(low).all()
            assert np.isfinite(high).all()
            assert (low <= high).all()
            s, z = qparams(low, high, bits=bits, symmetric=symmetric)
            assert np.isfinite(fake_quantize(x, s, z, bits=bits, symmetric=symmetric)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_channel_keeps_its_value(name):
    x = np.full((50, 2), [5.0, -0.3], dtype=np.float32)
    low, high = observer(name, "dimension").update(x).range(bits=8, symmetric=False)
    np.testing.assert_allclose(low, x[0], rtol=1e-6)
    np.testing.assert_allclose(high, x[0], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_an_observer_survives_pickling(name, x):
    watcher = observer(name, "group:4").update(x[:300])
    clone = pickle.loads(pickle.dumps(watcher))  # how worker processes hand their part back
    np.testing.assert_array_equal(_ranges(clone.update(x[300:])), _ranges(watcher.update(x[300:])))


@pytest.mark.parametrize("name", NAMES)
def test_asking_for_a_range_changes_nothing(name, x):
    watcher = observer(name, "dimension").update(x)
    first = _ranges(watcher)
    low, _ = watcher.range(bits=8, symmetric=False)
    low[:] = 77  # a caller's array, not the observer's
    np.testing.assert_array_equal(_ranges(watcher), first)


@pytest.mark.parametrize("name", NAMES)
def test_memory_stays_constant_however_many_rows(name):
    watcher = observer(name, "dimension")
    x = np.random.default_rng(0).standard_normal((200, 32)).astype(np.float32)
    watcher.update(x)
    tracemalloc.start()
    for _ in range(30):
        watcher.update(x)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # No more than one new copy of the counts; 30 blocks of rows would be 768 kB beside it.
    assert held < 32 * 2048 * 8 + 100_000


def test_min_max_is_the_extremes(x):
    low, high = observer("minmax", "dimension").update(x).range(bits=8, symmetric=False)
    np.testing.assert_array_equal(low, x.min(axis=0))
    np.testing.assert_array_equal(high, x.max(axis=0))


def test_the_moving_average_follows_its_formula(x):
    watcher = observer("moving_average", momentum=0.25)
    low = high = None
    for block in np.array_split(x, 5):
        watcher.update(block)
        least, most = float(block.min()), float(block.max())
        low = least if low is None else low + 0.25 * (least - low)
        high = most if high is None else high + 0.25 * (most - high)
    found = watcher.range(bits=8, symmetric=False)
    np.testing.assert_allclose(np.ravel(found), [low, high], rtol=1e-6)


def test_merged_moving_averages_weigh_by_rows():
    a = observer("moving_average").update(np.float32([[0], [4]]))
    b = observer("moving_average").update(np.float32([[-6], [10], [1], [1], [1], [1]]))
    low, high = a.merge(b).range(bits=8, symmetric=False)
    assert low[0] == pytest.approx(-4.5)
    assert high[0] == pytest.approx(8.5)
