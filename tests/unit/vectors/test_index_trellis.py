"""Two tiers and clusters of trellis codes through everything an index does, on small data."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from variants import at_every_level, quiet, same_bits

from fewbits.errors import CalibrationWarning, DuplicateIdError
from fewbits.vectors import Index
from fewbits.vectors import arrange as layout

D, N = 32, 700

KINDS = {
    "two tiers": {"bits": 1.5, "rescore_bits": 4},
    "clusters": {"bits": 2, "clusters": 8},
    "both": {"bits": 2, "clusters": 8, "rescore_bits": 4},
    "float16 behind clusters": {"bits": 2, "clusters": 8, "rescore": "float16"},
}


def rows(n: int, seed: int = 0) -> np.ndarray:
    """Return float32 (n, 32) in 12 groups, the larger axes first."""
    points = np.random.default_rng(7).standard_normal((12, D))
    rng = np.random.default_rng([seed, n])
    x = points[rng.integers(0, 12, n)] + 0.5 * rng.standard_normal((n, D))
    return (x * np.linspace(2, 0.3, D)).astype(np.float32)


@pytest.fixture(autouse=True)
def early(monkeypatch):
    """Rows are sorted by list from 100 on, not from 32,768."""
    monkeypatch.setattr(layout, "TAIL_ROWS", 100)
    monkeypatch.setattr(layout, "_PER_LIST", 0)


def made(kind: str, metric: str = "cosine", x: np.ndarray | None = None) -> Index:
    index = Index("trellis", metric=metric, **KINDS[kind])
    return index.add(rows(N) if x is None else x)


def exact(q: np.ndarray, x: np.ndarray, metric: str) -> np.ndarray:
    if metric == "cosine":
        q, x = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (q, x))
    dots = q @ x.T
    if metric != "l2":
        return dots
    return 2 * dots - (q * q).sum(axis=1)[:, None] - (x * x).sum(axis=1)


def change(index: Index) -> dict[int, np.ndarray]:
    """Do everything that moves code rows; returns the vector of each id that is left."""
    held = dict(enumerate(rows(N)))

    def add(ids: range, x: np.ndarray, **how: bool) -> None:
        index.add(x, ids=ids, **how)
        held.update(zip(ids, x, strict=True))

    add(range(1000, 1130), rows(130, 1))  # enough to be sorted
    add(range(2000, 2001), rows(1, 2))
    add(range(50), rows(50, 3), replace=True)
    index.add(iter([rows(7, 4), rows(9, 5)]))
    held.update(zip(range(2001, 2017), np.vstack([rows(7, 4), rows(9, 5)]), strict=True))
    for gone in ([60, 61, 1003], 12, list(range(300, 400))):
        index.delete(gone)
        for key in gone if isinstance(gone, list) else [gone]:
            del held[key]
    return held


def check(index: Index, held: dict[int, np.ndarray], metric: str) -> None:
    """The index holds these rows, near their vectors, and ranks them nearly as they are."""
    assert sorted(index.ids.tolist()) == sorted(held)
    assert len(index) == len(held)
    x, q = np.array([held[i] for i in index.ids.tolist()]), rows(12, 9)
    want = exact(q, x, metric)
    hits = index.search(q, 10, nprobe=None)
    best = index.ids[np.argsort(-want, axis=1)[:, :10]]
    found = np.mean([np.isin(a, b).mean() for a, b in zip(best, hits.ids, strict=True)])
    assert found > (0.55 if index.info()["rescore"] is None else 0.8)
    place = {key: i for i, key in enumerate(index.ids.tolist())}
    own = np.array([[want[i, place[k]] for k in line] for i, line in enumerate(hits.ids.tolist())])
    assert np.abs(own - hits.scores).mean() < 0.3 * want.std()


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_stay_what_they_are_through_every_change(kind, metric, tmp_path):
    index = made(kind, metric)
    held = change(index)
    check(index, held, metric)
    index.save(tmp_path / "index")
    again = Index.open(tmp_path / "index", verify=True)
    q = rows(6, 9)
    for filtered in (None, range(0, 2100, 3)):
        a, b = (one.search(q, 10, filter=filtered) for one in (index, again))
        assert same_bits(a.scores, b.scores)
        assert a.ids.tolist() == b.ids.tolist()
    assert json.loads(json.dumps(again.info(), allow_nan=False)) == index.info()
    again.compact()
    assert again.info()["segments"] == 1
    check(again, held, metric)
    full = index.search(q, 20, nprobe=None)
    assert same_bits(full.scores, again.search(q, 20, nprobe=None).scores)
    again.add(rows(3, 6), ids=[5000, 5001, 5002]).save(tmp_path / "index")
    assert 5001 in Index.open(tmp_path / "index")


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_block_changes_nothing(kind):
    index = made(kind)
    before = index.search(rows(3, 9), 20)
    with pytest.raises(DuplicateIdError):
        index.add(rows(5, 1), ids=[9000, 9001, 9002, 9003, 3])
    with pytest.raises(ZeroDivisionError):
        index.add(block if block is not None else 1 / 0 for block in (rows(300, 1), None))
    assert len(index) == N
    after = index.search(rows(3, 9), 20)
    assert same_bits(before.scores, after.scores)
    assert before.ids.tolist() == after.ids.tolist()


@pytest.mark.parametrize("nprobe", [1, 3, 8, "auto", None])
@pytest.mark.parametrize("kind", KINDS)
def test_a_filter_that_leaves_fewer_than_k_gives_them_all(kind, nprobe):
    index = made(kind)
    change(index)
    for allowed in ([], [2001], [5, 6, 12, 300, 1005, 99_999], range(0, 9)):
        live = sorted(set(allowed) & set(index.ids.tolist()))
        hits = index.search(rows(4, 9), 10, filter=allowed, nprobe=nprobe)
        assert hits.ids.shape == (4, min(10, len(live)))
        assert all(sorted(line) == live for line in hits.ids.tolist())
        assert np.isfinite(hits.scores).all()
    hits = index.search(rows(4, 9), 5000, nprobe=nprobe)
    assert hits.ids.shape == (4, len(index))


@pytest.mark.parametrize("kind", KINDS)
def test_hits_depend_on_no_level_no_thread_and_no_other_query(kind):
    index, q = made(kind), rows(9, 9)
    change(index)
    for nprobe in (None, 2):
        first = index.search(q, 10, nprobe=nprobe)
        for threads in (1, 2):
            for found in at_every_level(
                lambda n=nprobe, t=threads: index.search(q, 10, nprobe=n, threads=t)
            ):
                assert same_bits(found.scores, first.scores)
                assert found.ids.tolist() == first.ids.tolist()
        for i in range(9):
            alone = index.search(q[i], 10, nprobe=nprobe)
            assert same_bits(alone.scores, first.scores[i])
            assert alone.ids.tolist() == first.ids[i].tolist()


LOPSIDED = {
    "half in one cluster": lambda: np.vstack([rows(N // 2), np.repeat(rows(1, 8), N // 2, axis=0)]),
    "all in one cluster": lambda: np.repeat(rows(1, 8), N, axis=0),
    "clusters empty": lambda: rows(N)[rows(N)[:, 0] > 2],
    "far rows": lambda: rows(N) + np.float32(100),
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "clusters" in KINDS[kind]])
@pytest.mark.parametrize("what", LOPSIDED)
def test_uneven_clusters_are_searched_whole(what, kind):
    x, q = LOPSIDED[what](), rows(5, 9)
    index = Index("trellis", metric="ip", **KINDS[kind]).fit(rows(N))
    with quiet():
        index.add(x).compact()
    [part] = index._state.segments
    sizes = np.diff(part.lists)
    assert sizes.sum() == len(x)
    if what == "clusters empty":
        assert sizes.min() == 0 < np.sort(sizes)[-2]
    if what.startswith(("half", "all")):
        assert sizes.max() >= N // 2
    every = index.search(q, 20, nprobe=None)
    for nprobe in (1, 7, 8):
        found = index.search(q, 20, nprobe=nprobe)
        assert found.ids.shape == (5, 20)
        assert all(len(set(line)) == 20 for line in found.ids.tolist())
    assert same_bits(index.search(q, 20, nprobe=8).scores, every.scores)
    assert index.search(q, len(x), nprobe=1).ids.shape == (5, len(x))


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_fewer_rows_than_clusters_make_fewer_clusters_and_say_so(n, tmp_path):
    x = rows(n)
    index = Index("trellis", code_size=12, clusters=8, rescore_bits=4)
    with pytest.warns(CalibrationWarning):
        index.add(x)
    assert index.quantizer.lists <= n
    hits = index.search(rows(3, 9), 10)
    assert hits.ids.shape == (3, n)
    index.compact().save(tmp_path / "index")
    again = Index.open(tmp_path / "index").search(rows(3, 9), 10, nprobe=1)
    assert same_bits(again.scores, hits.scores)
    assert again.ids.tolist() == hits.ids.tolist()


class Searcher(threading.Thread):
    """Searches until told to stop; every hit must have the score that its row has in `truth`."""

    def __init__(self, index: Index, q: np.ndarray, truth: np.ndarray) -> None:
        super().__init__()
        self.index, self.q, self.truth = index, q, truth
        self.error, self.rounds, self.stop = None, 0, threading.Event()

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.once()
                self.rounds += 1
        except BaseException as error:
            self.error = error

    def once(self) -> None:
        before = len(self.index)
        for nprobe in (None, 2):
            hits = self.index.search(self.q, 30, nprobe=nprobe, threads=1)
            assert hits.ids.shape == (2, 30)
            assert same_bits(hits.scores, np.take_along_axis(self.truth, hits.ids, axis=1))
        assert self.index.search(self.q, 5000, threads=1).ids.shape[1] >= before


@pytest.mark.parametrize("kind", KINDS)
def test_searches_beside_a_writer_see_the_old_state_or_the_new(kind):
    x, q = rows(2000), rows(2, 9)
    index = Index("trellis", **KINDS[kind]).fit(x).add(x[:400])
    everything = {
        "k": 2000,
        "nprobe": None,
        "oversample": 2000 if "rescore" in str(KINDS[kind]) else None,
    }
    found = (
        Index(index.quantizer, rescore=index._state.tiers.rescore).add(x).search(q, **everything)
    )
    truth = np.take_along_axis(found.scores, np.argsort(found.ids, axis=1), axis=1)
    threads = [Searcher(index, q, truth) for _ in range(2)]
    for thread in threads:
        thread.start()
    for start in range(400, 2000, 40):
        index.add(x[start : start + 40], ids=range(start, start + 40))
        if start % 400 == 0:
            index.compact()
    for thread in threads:
        thread.stop.set()
        thread.join(30)
        assert thread.error is None
        assert thread.rounds > 0
    assert same_bits(index.search(q, **everything).scores, found.scores)
    assert sorted(index.ids.tolist()) == list(range(2000))
