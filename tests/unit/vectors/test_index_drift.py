"""Rows unlike the calibration rows are noticed, and an index can learn its ranges anew."""

from __future__ import annotations

import json
import threading
import warnings

import numpy as np
import pytest
from toytiers import even as sample
from toytiers import make_kinds
from variants import same_bits

from fewbits.errors import CalibrationWarning, ConflictError, FormatError, InputError
from fewbits.vectors import Index, Int8
from fewbits.vectors.drift import Mean, Watched, drift

D = 8


@pytest.fixture(autouse=True)
def toy(registry):
    return make_kinds()[0]


def foreign(n, seed=5):
    return sample(n, D, seed=seed) * 30 + 40


def test_drift_is_one_for_the_calibration_rows():
    index = Index("toy", metric="ip").add(sample(300, D))
    assert index.info()["drift"] == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("how", ["at once", "in blocks", "one by one"])
def test_drift_is_the_mean_over_all_rows(how):
    index = Index("toy", metric="ip").add(sample(300, D))
    x = foreign(100)
    if how == "at once":
        index.add(x)
    elif how == "in blocks":
        index.add(iter([x[:30], x[30:31], x[31:]]))
    else:
        for i, row in enumerate(x):
            index.add(row[None], ids=[1000 + i])
    kind = index.quantizer
    lost = kind.encode_watched(np.vstack([sample(300, D), x]), 1)[1].mean()
    assert index.info()["drift"] == pytest.approx(lost / kind.fit_distortion, rel=1e-5)
    assert index.info()["drift"] > 1.2


def test_many_foreign_rows_warn_once_and_few_do_not():
    index = Index("toy", metric="ip").add(sample(300, D))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index.add(foreign(255))
        index.add(sample(300, D, seed=2))
    with pytest.warns(CalibrationWarning, match="refit"):
        index.add(foreign(256))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index.add(foreign(256))


def test_a_kind_that_does_not_measure_it_has_no_drift(tmp_path):
    index = Index("int8").add(sample(300, D))
    assert index.info()["drift"] is None
    index.save(tmp_path / "i")
    assert Index.open(tmp_path / "i").info()["drift"] is None


def test_drift_is_saved(tmp_path):
    index = Index("toy", metric="ip").add(sample(300, D)).add(foreign(100))
    index.save(tmp_path / "i")
    again = Index.open(tmp_path / "i")
    assert again.info()["drift"] == index.info()["drift"]
    json.dumps(again.info(), allow_nan=False)


def test_an_index_saved_before_drift_was_known_opens():
    found = Watched.from_params({"clipped": [0.25, 8]}, "here")
    assert found == Watched(Mean(0.25, 8), Mean(0.0, 0))
    assert drift(found.lost, 0.5) is None


@pytest.mark.parametrize("lost", [None, [], [1], [2.0, 1], [-0.1, 1], [0.1, -1], [0.1, 1.5], "ab"])
def test_crafted_figures_are_refused(lost):
    with pytest.raises(FormatError, match="lost must be"):
        Watched.from_params({"clipped": [0.0, 0], "lost": lost}, "here")


# Learning anew.


def drifted(**arguments):
    index = Index("toy", metric="ip", **arguments).fit(sample(300, D))
    x = foreign(600)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        index.add(x[:300], ids=[f"v{i}" for i in range(300)])
        index.add(x[300:], ids=[f"v{i}" for i in range(300, 600)])
    index.delete(["v7", "v8", "v599"])
    return index, np.delete(x, [7, 8, 599], axis=0)


def error(index, x):
    return float(np.abs(index.decode(index.ids) - x).mean())


@pytest.mark.parametrize("kind", [{}, {"rescore": "float16"}, {"rescore_bits": 8}])
@pytest.mark.parametrize("source", ["function", "second tier", "rows given"])
def test_refit_codes_all_rows_anew(kind, source, tmp_path):
    index, x = drifted(**kind)
    ids, before = index.ids.tolist(), error(index, x)
    rows = dict(zip(ids, x, strict=True))
    arguments = {}
    if source != "second tier":
        arguments["originals"] = lambda names: np.array([rows[name] for name in names])
    if source == "rows given":
        arguments["x"] = foreign(400, seed=9)
    if source == "second tier" and not kind:
        with pytest.raises(InputError, match="originals="):
            index.refit()
        return
    assert index.refit(**arguments) is index
    assert index.ids.tolist() == ids
    assert len(index) == 597
    assert index.info()["deleted"] == 0
    assert index.info()["drift"] == pytest.approx(1, abs=0.25)
    if not kind:
        assert error(index, x) < before / 2
    scanned = Index(index.quantizer).add(x).search(x[:20], 5)
    mine = index.search(x[:20], 5, oversample=1 if kind else None)
    assert same_bits(scanned.scores, mine.scores) or source == "second tier"
    index.save(tmp_path / "i")
    assert same_bits(
        Index.open(tmp_path / "i").search(x[:20], 5).scores, index.search(x[:20], 5).scores
    )


def test_a_second_tier_of_its_own_keeps_its_codes():
    index, _ = drifted(rescore="float16")
    before = index.decode(index.ids)
    index.refit()
    assert same_bits(index.decode(index.ids), before)


def test_later_automatic_ids_do_not_repeat_deleted_ones():
    x = sample(300, D)
    index = Index("toy", metric="ip").add(x)
    index.delete(299)
    index.refit(originals=x)
    assert index.add(x[:1]).ids[-1] == 300


def test_an_empty_index_learns_from_rows_given():
    index = Index("toy", metric="ip", rescore_bits=8).fit(sample(300, D))
    index.refit(foreign(300))
    assert index.add(foreign(10)).info()["calibration_rows"] == 300
    assert len(index) == 10


BAD = {
    "another width": {"x": sample(300, D + 1)},
    "no rows": {"x": np.empty((0, D), np.float32)},
    "originals too few": {"originals": sample(10, D)},
    "originals of another width": {"originals": sample(300, D + 1)},
    "nan": {"originals": np.full((300, D), np.nan, np.float32)},
}


@pytest.mark.parametrize("what", BAD)
def test_a_refit_that_fails_changes_nothing(what):
    index = Index("toy", metric="ip", rescore_bits=8).add(sample(300, D))
    before = index.search(sample(3, D), 20)
    with pytest.raises(InputError):
        index.refit(**BAD[what])
    after = index.search(sample(3, D), 20)
    assert same_bits(before.scores, after.scores)
    assert index.add(sample(3, D)).ids.tolist() == list(range(303))


def test_an_iterator_that_refits_the_index_it_feeds_is_refused():
    index = Index("toy", metric="ip", rescore_bits=8).add(sample(300, D))

    def blocks():
        yield sample(10, D)
        index.refit()
        yield sample(10, D)

    with pytest.raises(ConflictError, match="changed by the iterator"):
        index.add(blocks())


def test_searches_see_the_old_codes_or_the_new_ones():
    a, b = sample(400, D), foreign(400)
    x = np.vstack([a, b])
    index = Index("toy", metric="ip", rescore_bits=8).fit(a)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        index.add(x)
    q, done, wrong, seen = sample(1, D, seed=1), threading.Event(), [], set()
    samples, allowed, steps = (a, b), set(), 0
    for given in samples:
        index.refit(given, originals=x)
        allowed.add(index.search(q, 30).scores.tobytes())

    def look():
        while not done.is_set():
            found = index.search(q, 30, threads=1).scores.tobytes()
            seen.add(found)
            if found not in allowed:
                wrong.append(found)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(seen) < 2 or steps < 30:
        index.refit(samples[steps % 2], originals=x)
        steps += 1
        assert steps < 2000
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(allowed) == 2
    assert seen == allowed


def test_int8_can_be_refitted_too():
    x = sample(300, D)
    index = Index("int8", metric="ip").fit(x / 100)
    index.add(x)
    assert index.info()["clipped_fraction"] > 0.5
    index.refit(originals=x)
    assert index.info()["clipped_fraction"] < 0.05
    assert same_bits(
        index.search(x[:3], 5).scores, Index(Int8(metric="ip")).add(x).search(x[:3], 5).scores
    )
