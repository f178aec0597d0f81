"""One row at a time: a path of its own that must give what the general one gives."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from variants import same_bits, sample

from fewbits.errors import DuplicateIdError, InputError, UnknownIdError
from fewbits.vectors import Index, Int8, segments
from fewbits.vectors import index as module

D = 8


def names(kind, numbers):
    return [f"v{i}" for i in numbers] if kind == "str" else list(numbers)


@pytest.fixture(params=["int", "str"])
def kind(request):
    return request.param


def both(kind, monkeypatch, change, rescore):
    """Do the same through the path for one row and through the general one."""
    made = []
    for general in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(segments, "_SEAL_ROWS", 330)
            if general:
                patch.setattr(module, "add_row", lambda *_: None)
                patch.setattr(module, "delete_row", lambda *_: False)
            index = Index(Int8(metric="ip").fit(sample(300, D)), rescore=rescore)
            index.add(sample(300, D), ids=names(kind, range(300)))
            change(index)
            made.append(index)
    return made


def edits(kind):
    def change(index):
        rng = np.random.default_rng(0)
        there, fresh = list(range(300)), 1000
        for step in range(200):
            if rng.random() < 0.6:
                index.add(sample(1, D, seed=step + 1), ids=names(kind, [fresh]))
                there.append(fresh)
                fresh += 3
            else:
                gone = there.pop(int(rng.integers(len(there))))
                index.delete(names(kind, [gone])[0])
            if step % 50 == 49:
                again = names(kind, [there[3]])
                index.add(sample(1, D, seed=step + 500), ids=again, replace=True)

    return change


@pytest.mark.parametrize("rescore", [None, "float16"])
def test_one_at_a_time_is_the_general_way(kind, monkeypatch, rescore, tmp_path):
    fast, slow = both(kind, monkeypatch, edits(kind), rescore)
    q = sample(5, D, seed=1)
    for index in (fast, slow):
        index.save(tmp_path / str(index is fast))
    for a, b in ((fast, slow), (Index.open(tmp_path / "True"), Index.open(tmp_path / "False"))):
        assert a.ids.tolist() == b.ids.tolist()
        assert same_bits(a.search(q, 50).scores, b.search(q, 50).scores)
        assert a.search(q, 50).ids.tolist() == b.search(q, 50).ids.tolist()
        skip = ("clipped_fraction", "path")
        said = [{k: v for k, v in i.info().items() if k not in skip} for i in (a, b)]
        assert said[0] == said[1]


def test_what_is_wrong_is_said_as_always(kind):
    index = Index("int8").add(sample(300, D), ids=names(kind, range(300)))
    one = sample(1, D)
    index.add(one, ids=names(kind, [300]))
    with pytest.raises(DuplicateIdError, match="is in the index already"):
        index.add(one, ids=names(kind, [300]))
    with pytest.raises(InputError, match=r"x\[0, 2\] is nan"):
        index.add(
            np.where(np.arange(D) == 2, np.nan, one).astype(np.float32), ids=names(kind, [7777])
        )
    with pytest.raises(UnknownIdError):
        index.delete(names(kind, [7777])[0])
    index.delete(names(kind, [300])[0])
    with pytest.raises(UnknownIdError):
        index.delete(names(kind, [300])[0])
    other = names("int" if kind == "str" else "str", [5])
    with pytest.raises(InputError, match="ids must be"):
        index.add(one, ids=other)
    with pytest.raises((InputError, UnknownIdError)):
        index.delete(other[0])
    for wrong in ([True], [1.5], [None], [1 << 63], ["\ud800"]):
        with pytest.raises(InputError):
            index.add(one, ids=wrong)
    assert len(index) == 300


def test_an_id_as_large_as_can_be_leaves_no_automatic_ids():
    index = Index("int8").add(sample(300, D), ids=range(300))
    index.add(sample(1, D), ids=[2**63 - 1])
    with pytest.raises(InputError, match="must be given"):
        index.add(sample(1, D))


def test_a_search_never_sees_half_of_a_change():
    """One thread adds a row and then deletes another; no search sees the second change alone."""
    x = sample(400, D)
    index = Index("int8", metric="l2").add(x[:300])
    done, wrong = threading.Event(), []

    def look():
        while not done.is_set():
            ids = index.search(x[0], 1000, threads=1).ids
            if len(ids) not in (300, 301) or len(set(ids.tolist())) != len(ids):
                wrong.append(len(ids))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for step in range(2000):
        index.add(x[step % 400][None], ids=[300 + step])
        index.delete(step)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert index.ids.tolist() == list(range(2000, 2300))
