"""Saving and opening: every hit and every byte is the same, what is damaged is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from variants import cases, quiet, same_bits, sample

from fewbits.errors import ConflictError, FormatError, InputError, StorageError
from fewbits.vectors import Index

D = 12
CASES = cases()
DEFAULTS = [v for v in CASES if v.label == "default"]


def names(n, kind):
    return [f"id {i} ü" for i in range(n)] if kind == "str" else list(range(7, 7 + n))


def filled(variant, n=300, kind="int", rescore=None):
    return Index(variant.make(D), rescore=rescore).add(sample(n, D), ids=names(n, kind))


def assert_same(a, b):
    q = sample(5, D, seed=1)
    for k in (1, 1000):
        first, second = a.search(q, k), b.search(q, k)
        assert first.ids.tolist() == second.ids.tolist()
        assert same_bits(first.scores, second.scores)
    assert a.ids.tolist() == b.ids.tolist()
    assert a.quantizer.params() == b.quantizer.params()
    if len(a):
        some = a.ids[:: max(1, len(a) // 7)].tolist()
        assert same_bits(a.decode(some), b.decode(some))
    same = {k: v for k, v in a.info().items() if k not in ("path", "generation")}
    assert same == {k: b.info()[k] for k in same}


def files(folder):
    return {p.name: p.read_bytes() for p in sorted(Path(folder).iterdir()) if p.name != ".lock"}


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_an_opened_index_answers_as_the_saved_one(variant, tmp_path):
    kind = "str" if variant.metric == "ip" else "int"
    index = filled(variant, kind=kind, rescore="float16" if variant.metric == "l2" else None)
    index.delete(names(300, kind)[10:20])
    index.save(tmp_path / "index")
    again = Index.open(tmp_path / "index")
    assert_same(again, index)
    assert_same(Index.open(tmp_path / "index", verify=False), index)
    x = sample(20, D, seed=4)
    more = [f"more {i}" for i in range(20)] if kind == "str" else None
    assert_same(again.add(x, ids=more), index.add(x, ids=more))


@pytest.mark.parametrize("n", [1, 2, 299])
@pytest.mark.parametrize("kind", ["int", "str"])
def test_saving_what_was_opened_gives_the_same_bytes(n, kind, tmp_path):
    with quiet():
        index = filled(DEFAULTS[3], n=n, kind=kind, rescore="int4")
    index.save(tmp_path / "a")
    Index.open(tmp_path / "a").save(tmp_path / "b")
    a, b = files(tmp_path / "a"), files(tmp_path / "b")
    segment_a = sorted(raw for name, raw in a.items() if name.startswith("segment"))
    segment_b = sorted(raw for name, raw in b.items() if name.startswith("segment"))
    assert segment_a == segment_b
    assert sorted(raw for n, raw in a.items() if n.startswith("quantizer")) == sorted(
        raw for n, raw in b.items() if n.startswith("quantizer")
    )


def test_saving_again_writes_only_what_is_new(tmp_path):
    index = filled(DEFAULTS[0])
    index.save(tmp_path / "index")
    first = {n for n in files(tmp_path / "index") if n.startswith("segment")}
    index.add(sample(5, D, seed=2)).save(tmp_path / "index")
    second = {n for n in files(tmp_path / "index") if n.startswith("segment")}
    assert first < second
    assert len(second) == 2
    index.delete([7])
    index.save(tmp_path / "index")
    assert {n for n in files(tmp_path / "index") if n.startswith("segment")} == second
    assert_same(Index.open(tmp_path / "index"), index)
    index.compact().save(tmp_path / "index")
    third = {n for n in files(tmp_path / "index") if n.startswith("segment")}
    assert len(third) == 1
    assert not third & second
    assert_same(Index.open(tmp_path / "index"), index)


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_changes_and_saves_keeps_the_same_index(seed, tmp_path):
    rng = np.random.default_rng(seed)
    index = filled(DEFAULTS[seed % len(DEFAULTS)], rescore=["int8", None][seed % 2])
    opened, made = None, 1000
    for _ in range(12):
        what = rng.choice(["add", "delete", "replace", "compact", "save", "reopen"])
        if what == "add":
            ids = range(made, made + 9)
            made += 9
            index.add(sample(9, D, seed=made), ids=ids)
        elif what == "delete" and len(index):
            index.delete(rng.choice(index.ids, min(len(index), 30), replace=False))
        elif what == "replace" and len(index):
            chosen = rng.choice(index.ids, min(len(index), 20), replace=False)
            index.add(sample(len(chosen), D, seed=made), ids=chosen, replace=True)
        elif what == "compact":
            index.compact()
        elif what == "save":
            index.save(tmp_path / "index")
            opened = Index.open(tmp_path / "index")
            assert_same(opened, index)
        elif opened is not None:
            index.save(tmp_path / "index")
            index = Index.open(tmp_path / "index")
    index.save(tmp_path / "index")
    assert_same(Index.open(tmp_path / "index"), index)


def test_an_index_without_dimensions_cannot_be_saved_one_without_rows_can(tmp_path):
    with pytest.raises(InputError, match="add vectors, then save"):
        Index("int8").save(tmp_path / "index")
    assert not (tmp_path / "index").exists()
    Index("int8").fit(sample(300, D)).save(tmp_path / "index")
    again = Index.open(tmp_path / "index")
    assert len(again) == 0
    assert again.dims == D
    assert again.search(sample(2, D), 3).ids.shape == (2, 0)
    assert again.add(sample(3, D)).ids.tolist() == [0, 1, 2]


def test_an_index_that_lost_all_rows_can_be_saved(tmp_path):
    index = filled(DEFAULTS[0])
    index.delete(index.ids)
    index.save(tmp_path / "index")
    assert_same(Index.open(tmp_path / "index"), index)
    index.compact().save(tmp_path / "index")
    again = Index.open(tmp_path / "index")
    assert again.add(sample(1, D)).ids.tolist() == [307]


def test_saving_onto_the_files_that_are_mapped_is_safe(tmp_path):
    filled(DEFAULTS[0]).save(tmp_path / "index")
    index = Index.open(tmp_path / "index")
    expected = index.search(sample(3, D), 50)
    index.compact().save(tmp_path / "index")
    shutil.copytree(tmp_path / "index", tmp_path / "copy")
    for folder in ("index", "copy"):
        found = Index.open(tmp_path / folder).search(sample(3, D), 50)
        assert same_bits(found.scores, expected.scores)
    still = index.search(sample(3, D), 50)
    assert same_bits(still.scores, expected.scores)


def test_a_reader_keeps_its_rows_when_somebody_else_replaces_the_index(tmp_path):
    filled(DEFAULTS[0]).save(tmp_path / "index")
    reader = Index.open(tmp_path / "index")
    expected = reader.search(sample(3, D), 50)
    writer = Index.open(tmp_path / "index")
    writer.delete(writer.ids[:290])
    writer.compact().save(tmp_path / "index")
    assert same_bits(reader.search(sample(3, D), 50).scores, expected.scores)
    assert len(Index.open(tmp_path / "index")) == 10


def test_a_stale_index_does_not_overwrite_a_newer_one(tmp_path):
    filled(DEFAULTS[0]).save(tmp_path / "index")
    one, two = Index.open(tmp_path / "index"), Index.open(tmp_path / "index")
    one.add(sample(3, D)).save(tmp_path / "index")
    two.delete([7])
    before = files(tmp_path / "index")
    with pytest.raises(ConflictError, match="somebody else saved meanwhile"):
        two.save(tmp_path / "index")
    assert files(tmp_path / "index") == before
    assert len(two) == 299  # it is still usable, and can go elsewhere
    two.save(tmp_path / "other")
    assert_same(Index.open(tmp_path / "other"), two)


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not an index"):
        filled(DEFAULTS[0]).save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(StorageError):
        Index.open(tmp_path)
    with pytest.raises(StorageError):
        Index.open(tmp_path / "nothing")
    with pytest.raises((StorageError, FormatError)):
        Index.open(tmp_path / "notes.txt")


def test_an_index_whose_folder_was_removed_is_saved_anew(tmp_path):
    index = filled(DEFAULTS[0])
    index.save(tmp_path / "index")
    shutil.rmtree(tmp_path / "index")
    index.add(sample(3, D)).save(tmp_path / "index")
    assert_same(Index.open(tmp_path / "index"), index)


def test_a_moved_index_can_be_opened_and_saved(tmp_path):
    filled(DEFAULTS[0]).save(tmp_path / "a")
    os.rename(tmp_path / "a", tmp_path / "b")
    index = Index.open(tmp_path / "b").add(sample(3, D))
    index.save(tmp_path / "b")
    assert_same(Index.open(tmp_path / "b"), index)


@pytest.mark.parametrize("kind", ["segment", "quantizer", "tombstones", "manifest"])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "removed", "text"])
def test_a_damaged_file_is_refused(kind, damage, tmp_path):
    index = filled(DEFAULTS[0])
    index.delete([7])
    index.save(tmp_path / "index")
    (path,) = (p for p in (tmp_path / "index").iterdir() if p.name.startswith(kind))
    raw = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        flipped = bytearray(raw)
        flipped[len(raw) // 2] ^= 4
        new = {"cut": raw[:-1], "flip": bytes(flipped), "empty": b"", "text": b"hello"}[damage]
        path.write_bytes(new)
    with pytest.raises(StorageError if (kind, damage) == ("manifest", "removed") else FormatError):
        Index.open(tmp_path / "index")
