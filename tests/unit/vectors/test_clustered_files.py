"""An index whose rows are sorted by list, on disk and whole: saved, opened, changed, damaged."""

from __future__ import annotations

import numpy as np
import pytest
from toylists import toy_kind
from variants import same_bits, sample

from fewbits.errors import FormatError
from fewbits.vectors import Index
from fewbits.vectors import arrange as layout
from fewbits.vectors.lists import offsets_of
from fewbits.vectors.store import Store

D, L, N = 4, 8, 300


@pytest.fixture
def toy(registry, monkeypatch):
    monkeypatch.setattr(layout, "TAIL_ROWS", 50)
    monkeypatch.setattr(layout, "_PER_LIST", 0)
    return toy_kind()(metric="ip", clusters=L).fit(sample(300, D))


def parts(index):
    return list(index._state.segments)


def flat(index, k=10):
    return index.search(sample(7, D), k, nprobe=None)


@pytest.mark.parametrize("rescore", [None, "float16"])
@pytest.mark.parametrize("verify", [True, False])
def test_a_sorted_index_is_opened_as_it_was_saved(toy, tmp_path, rescore, verify):
    index = Index(toy, rescore=rescore).add(sample(N, D)).add(sample(20, D, seed=5))
    index.delete([3, 250, 310])
    index.save(tmp_path / "index")
    again = Index.open(tmp_path / "index", verify=verify)
    assert [part.lists is None for part in parts(again)] == [False, True]
    assert again.ids.tolist() == index.ids.tolist()
    assert 3 not in again
    assert len(again) == N + 17
    for nprobe in (None, 1, 3, L):
        hits = [one.search(sample(7, D), 10, nprobe=nprobe) for one in (index, again)]
        assert same_bits(hits[0].scores, hits[1].scores)
        assert hits[0].ids.tolist() == hits[1].ids.tolist()


def test_saving_again_writes_only_what_was_sorted_anew(toy, tmp_path):
    index = Index(toy).add(sample(N, D))
    index.save(tmp_path / "index")
    [first] = parts(index)
    index.add(sample(60, D, seed=2))
    index.save(tmp_path / "index")
    assert [len(part) for part in parts(index)] == [N, 60]
    assert parts(index)[0].entry.name == first.entry.name
    opened = Index.open(tmp_path / "index").add(sample(60, D, seed=3))
    assert [len(part) for part in parts(opened)] == [N, 120]
    opened.save(tmp_path / "index")
    assert sorted(Index.open(tmp_path / "index").ids.tolist()) == list(range(N + 120))


def test_a_clustered_index_holds_what_a_flat_one_holds_through_many_changes(toy, tmp_path):
    plain, index = Index(toy), Index(toy)
    plain._arrange = lambda **_: None
    draw = np.random.default_rng(4)
    for step in range(60):
        ids = np.unique(draw.integers(0, 400, 25))
        for one in (plain, index):
            one.add(sample(len(ids), D, seed=step + 1), ids, replace=True)
        gone = [key for key in ids.tolist()[::3] if key in index]
        for one in (plain, index):
            one.delete(gone)
        if step % 20 == 10:
            index.compact()
        if step % 20 == 15:
            index.save(tmp_path / "index")
            index = Index.open(tmp_path / "index")
        assert sorted(index.ids.tolist()) == sorted(plain.ids.tolist())
        everything = index.search(sample(3, D), 10, nprobe=L)
        assert same_bits(everything.scores, flat(plain)[0][:3])
        only = index.ids[::5]
        a, b = (one.search(sample(3, D), 10, filter=only, nprobe=2) for one in (plain, index))
        assert a.ids.shape == b.ids.shape
        assert np.isin(b.ids, only).all()
        assert same_bits(plain.decode(only), index.decode(only))
    assert any(part.lists is not None for part in parts(index))


def test_compacting_gives_one_sorted_segment_whatever_its_size(toy):
    index = Index(toy).add(sample(30, D))
    assert parts(index)[0].lists is None
    index.delete([0, 1])
    before = flat(index)
    index.compact()
    assert [(len(part), part.lists is None) for part in parts(index)] == [(28, False)]
    assert same_bits(before.scores, flat(index).scores)
    assert before.ids.tolist() == flat(index).ids.tolist()
    index.delete(index.ids)
    index.compact()
    assert (len(index), flat(index).ids.shape) == (0, (7, 0))
    assert index.add(sample(2, D)).ids.tolist() == [30, 31]


def test_iteration_follows_storage_and_a_filter_of_booleans_follows_iteration(toy):
    index = Index(toy).add(sample(N, D))
    assert list(index) == index.ids.tolist() != list(range(N))
    chosen = np.zeros(N, bool)
    chosen[10:40] = True
    hits = index.search(sample(3, D), 100, filter=chosen, nprobe=1)
    assert sorted(hits.ids[0].tolist()) == sorted(index.ids[10:40].tolist())


def test_info_tells_of_clusters(toy):
    about = Index(toy).add(sample(N, D)).info()
    assert (about["clusters"], about["sorted_rows"], about["search"]) == (L, N, "flat")


# Damaged and foreign files, with valid checksums.


class Draft:
    """The files of a sorted index, to be changed and written."""

    def __init__(self, toy, folder):
        Index(toy).add(sample(N, D)).save(folder / "good")
        snapshot = Store(folder / "good").read()
        self.folder, self.params = folder / "bad", snapshot.params
        self.files = [
            (e.kind, {k: np.array(v) for k, v in e.contents.tensors.items()}, e.contents.params)
            for e in snapshot.files
        ]
        self.tensors = next(tensors for kind, tensors, _ in self.files if kind == "segment")

    def write(self):
        with Store(self.folder).writer(None) as writer:
            for kind, tensors, params in self.files:
                writer.add(kind, tensors, params)
            writer.commit(self.params)
        return self.folder


def changed(place, value):
    def change(tensors):
        tensors["lists"][place] = value

    return change


def swap_rows(tensors):
    tensors["codes"][[0, -1]] = tensors["codes"][[-1, 0]]


def move_a_border(tensors):
    tensors["lists"][3] += 1


DAMAGE = {
    "int32": (lambda t: t.update(lists=t["lists"].astype(np.int32)), "must be int64", False),
    "too few": (lambda t: t.update(lists=t["lists"][1:]), "must be int64", False),
    "two axes": (lambda t: t.update(lists=t["lists"][None]), "must be int64", False),
    "a late start": (changed(0, 1), "do not cut", False),
    "an early end": (changed(-1, N - 1), "do not cut", False),
    "a late end": (changed(-1, N + 1), "do not cut", False),
    "negative": (changed(2, -1), "do not cut", False),
    "descending": (changed(3, N), "do not cut", False),
    "differences that wrap around": (changed(4, -(1 << 63)), "do not cut", False),
    "rows out of order": (swap_rows, "not in the order", True),
    "a wrong border": (move_a_border, "do not begin where", True),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_lists_that_are_none_are_refused(toy, tmp_path, what):
    change, words, only_verified = DAMAGE[what]
    draft = Draft(toy, tmp_path)
    change(draft.tensors)
    folder = draft.write()
    with pytest.raises(FormatError, match=words):
        Index.open(folder)
    if only_verified:  # harmless otherwise: hits may be missed, none is made up
        hits = Index.open(folder, verify=False).search(sample(3, D), 20, nprobe=1)
        assert hits.ids.shape == (3, 20)
    else:
        with pytest.raises(FormatError, match=words):
            Index.open(folder, verify=False)


def test_lists_without_clusters_are_refused(toy, tmp_path):
    index = Index("int8").add(sample(N, D))
    [part] = parts(index)
    part.lists = offsets_of(np.zeros(N, np.int32), L)
    index.save(tmp_path / "index")
    with pytest.raises(FormatError, match="no clusters"):
        Index.open(tmp_path / "index")


def test_sorted_rows_without_lists_are_rows_like_any_others(toy, tmp_path):
    draft = Draft(toy, tmp_path)
    del draft.tensors["lists"]
    index = Index.open(draft.write())
    assert [part.lists for part in parts(index)] == [None]
    assert index.search(sample(3, D), 5, nprobe=1).ids.shape == (3, 5)
