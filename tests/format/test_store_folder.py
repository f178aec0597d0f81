"""A store goes from one generation to the next and touches nothing that is not its own."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from fewbits.errors import ConflictError, FewbitsError, FormatError, InputError, StorageError
from fewbits.vectors import manifest
from fewbits.vectors.store import Snapshot, Store


def commit(store: Store, base: int | None, *values: int, keep: Snapshot | None = None) -> Snapshot:
    with store.writer(base) as writer:
        for entry in keep.files if keep else ():
            writer.keep(entry)
        for value in values:
            writer.add("segment", {"codes": np.full(9, value, np.uint8)}, {"value": value})
        return writer.commit({"values": list(values)})


def values(snapshot: Snapshot) -> list[int]:
    for entry in snapshot.files:
        assert (entry.contents.tensors["codes"] == entry.contents.params["value"]).all()
    return [entry.contents.params["value"] for entry in snapshot.files]


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def data_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"manifest.json", ".lock"}


def leave_by(error: type[BaseException], store: Store) -> None:
    with store.writer(None) as writer:
        writer.add("segment", {"codes": np.zeros(3, np.uint8)}, {})
        raise error


def test_what_is_committed_is_read_back(tmp_path: Path):
    store = Store(tmp_path / "new" / "folder")
    assert not store.exists()
    written = commit(store, None, 5, 6)
    assert store.exists()
    for snapshot in (written, store.read(), store.read(verify=False)):
        assert (snapshot.generation, snapshot.params) == (1, {"values": [5, 6]})
        assert values(snapshot) == [5, 6]
        assert [entry.kind for entry in snapshot.files] == ["segment", "segment"]
        assert not any(entry.contents.tensors["codes"].flags.writeable for entry in snapshot.files)


def test_kept_files_stay_as_they_are_and_in_the_order_given(tmp_path: Path):
    store = Store(tmp_path)
    first = commit(store, None, 1, 2)
    before = listing(tmp_path)
    second = commit(store, first.generation, 3, keep=first)
    assert (second.generation, values(second), values(store.read())) == (2, [1, 2, 3], [1, 2, 3])
    after = listing(tmp_path)
    for entry in first.files:
        assert after[entry.name] == before[entry.name]
    third = Snapshot(second.generation, {}, [second.files[2], second.files[0]])
    commit(store, 2, keep=third)
    assert values(store.read()) == [3, 1]


def test_files_that_are_no_longer_listed_are_removed(tmp_path: Path):
    store = Store(tmp_path)
    first = commit(store, None, 1, 2)
    second = commit(store, 1, 3, keep=Snapshot(1, {}, first.files[:1]))
    assert data_files(tmp_path) == {entry.name for entry in second.files}
    third = commit(store, None)
    assert (third.generation, data_files(tmp_path)) == (3, set())
    assert store.read().files == []


def test_arrays_of_a_removed_file_stay_readable(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1, 2)
    old = store.read()
    commit(store, None, 3)
    assert not {entry.name for entry in old.files} & data_files(tmp_path)
    assert values(old) == [1, 2]


def test_an_index_can_be_replaced_by_its_own_mapped_arrays(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1, 2)
    old = store.read()
    with store.writer(None) as writer:
        for entry in reversed(old.files):
            writer.add("segment", entry.contents.tensors, entry.contents.params)
        writer.commit({})
    assert values(store.read()) == [2, 1]
    assert values(old) == [1, 2]


def test_a_block_left_without_commit_changes_nothing(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    before = listing(tmp_path)
    with store.writer(1) as writer:
        writer.add("segment", {"codes": np.zeros(3, np.uint8)}, {})
        assert len(listing(tmp_path)) == len(before) + 1
    assert listing(tmp_path) == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_block_left_by_an_error_changes_nothing(error: type[BaseException], tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    before = listing(tmp_path)
    with pytest.raises(error):
        leave_by(error, store)
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("kind", "tensors", "params"),
    [
        ("Bad Kind", {}, {}),
        ("../segment", {}, {}),
        ("segment", {"x": np.zeros(2, complex)}, {}),
        ("segment", {}, {"a": float("nan")}),
    ],
)
def test_a_refused_file_changes_nothing(kind: str, tensors, params, tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    before = listing(tmp_path)
    with store.writer(1) as writer:
        writer.add("segment", {"codes": np.zeros(3, np.uint8)}, {})
        with pytest.raises(InputError):
            writer.add(kind, tensors, params)
    assert listing(tmp_path) == before


def test_refused_params_of_the_index_change_nothing(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    before = listing(tmp_path)
    with store.writer(1) as writer:
        writer.add("segment", {"codes": np.zeros(3, np.uint8)}, {})
        with pytest.raises(InputError, match=r"params\['a'\] is nan"):
            writer.commit({"a": float("nan")})
    assert listing(tmp_path) == before


def test_a_writer_commits_once(tmp_path: Path):
    store = Store(tmp_path)
    with store.writer(None) as writer:
        writer.commit({})
        with pytest.raises(InputError, match="closed"):
            writer.commit({})
        with pytest.raises(InputError, match="closed"):
            writer.add("segment", {}, {})
    with pytest.raises(InputError, match="closed"):
        writer.add("segment", {}, {})
    assert store.read().generation == 1


def test_a_stale_base_is_refused_and_the_message_says_what_to_do(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    commit(store, 1, 2)
    before = listing(tmp_path)
    with pytest.raises(ConflictError, match=r"at generation 2, .* at 1: .* open it again and"):
        commit(store, 1, 3)
    assert listing(tmp_path) == before


def test_an_index_that_was_deleted_is_not_taken_for_the_one_opened(tmp_path: Path):
    store = Store(tmp_path / "a")
    first = commit(store, None, 1)
    for path in store.folder.iterdir():
        path.unlink()
    with pytest.raises(ConflictError, match="no longer holds the index that was opened"):
        commit(store, 1, 2)
    commit(store, None, 7)  # another index, of the same generation
    with pytest.raises(ConflictError, match=f"does not have {first.files[0].name}"):
        commit(store, 1, keep=first)
    assert values(store.read()) == [7]


def test_a_file_of_another_index_is_not_kept(tmp_path: Path):
    other = commit(Store(tmp_path / "a"), None, 1)
    with pytest.raises(ConflictError, match="write its contents with add"):
        commit(Store(tmp_path / "b"), None, keep=other)


def test_a_file_is_kept_once(tmp_path: Path):
    first = commit(Store(tmp_path), None, 1)
    twice = Snapshot(1, {}, first.files * 2)
    with pytest.raises(InputError, match="kept already"):
        commit(Store(tmp_path), 1, keep=twice)


def test_a_second_writer_is_refused_at_once(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    with store.writer(1) as writer:
        with pytest.raises(ConflictError, match="is being written by another"):
            commit(Store(tmp_path), 1, 2)
        with pytest.raises(ConflictError, match="is being written by another"):
            commit(store, None, 3)
        writer.add("segment", {"codes": np.full(9, 4, np.uint8)}, {"value": 4})
        writer.commit({})
    assert values(commit(store, 2, 5)) == [5]


def test_generations_never_come_twice(tmp_path: Path):
    store = Store(tmp_path)
    for _ in range(3):
        commit(store, None, 1)
    assert store.read().generation == 3
    (tmp_path / manifest.NAME).unlink()
    assert commit(store, None, 2).generation == 4


FOREIGN = {
    "notes.txt": b"mine",
    ".hidden": b"mine",
    "segment-1-0123.safetensors": b"mine",  # not quite a name that we give
    "model.safetensors": b"mine",
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("base", [None, 1])
def test_a_folder_with_something_else_in_it_is_refused(name: str, base: int | None, tmp_path: Path):
    (tmp_path / name).write_bytes(FOREIGN[name])
    before = listing(tmp_path)
    with pytest.raises(FewbitsError, match=r"is not an index|no longer holds"):
        commit(Store(tmp_path), base, 1)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("raw", [b'{"name":"my app"}', b"", b"\xff"])
def test_the_manifest_of_something_else_is_not_overwritten(raw: bytes, tmp_path: Path):
    (tmp_path / "manifest.json").write_bytes(raw)
    with pytest.raises(InputError, match=r"'manifest.json' and is not an index; nothing was"):
        commit(Store(tmp_path), None, 1)
    assert listing(tmp_path) == {"manifest.json": raw}


def test_a_file_is_not_an_index_folder(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(InputError, match="is a file; an index is a folder"):
        commit(Store(tmp_path / "a"), None, 1)
    with pytest.raises(StorageError, match=r"cannot create .*Not a directory"):
        commit(Store(tmp_path / "a" / "b"), None, 1)
    assert not Store(tmp_path / "a").exists()
    assert listing(tmp_path) == {"a": b"mine"}


def test_foreign_files_in_an_index_folder_stay(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    (tmp_path / "sub").mkdir()
    for name, raw in FOREIGN.items():
        (tmp_path / name).write_bytes(raw)
    commit(store, 1, 2)
    commit(store, None, 3)
    assert (tmp_path / "sub").is_dir()
    assert {name: (tmp_path / name).read_bytes() for name in FOREIGN} == FOREIGN


def test_what_a_dead_writer_left_is_removed_by_the_next_one(tmp_path: Path):
    store = Store(tmp_path)
    first = commit(store, None, 1)
    left = [".fewbits-0123456789abcdef.tmp", "segment-9-0123456789abcdef.safetensors"]
    for name in left:
        (tmp_path / name).write_bytes(b"half")
    assert values(store.read()) == [1]
    second = commit(store, 1, keep=first)
    assert data_files(tmp_path) == {entry.name for entry in second.files}
    assert second.generation == 10  # above everything that was seen


def test_what_a_dead_writer_left_is_removed_before_its_room_is_needed(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    before = listing(tmp_path)
    (tmp_path / ".fewbits-0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / "segment-9-0123456789abcdef.safetensors").write_bytes(b"half")
    with store.writer(1):
        assert listing(tmp_path) == before


def test_a_first_save_that_died_does_not_block_the_second(tmp_path: Path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".fewbits-0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / "segment-1-0123456789abcdef.safetensors").write_bytes(b"half")
    store = Store(tmp_path)
    assert not store.exists()
    assert values(commit(store, None, 1)) == [1]
    assert len(data_files(tmp_path)) == 1


def test_a_damaged_index_is_replaced_only_on_demand(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    damaged = (tmp_path / "manifest.json").read_bytes()[:-1]
    (tmp_path / "manifest.json").write_bytes(damaged)
    before = listing(tmp_path)
    with pytest.raises(FormatError, match="not valid JSON"):
        commit(store, 1, 2)
    with pytest.raises(RuntimeError):
        leave_by(RuntimeError, store)
    assert listing(tmp_path) == before
    assert values(commit(store, None, 3)) == [3]
    assert values(store.read()) == [3]
    assert len(data_files(tmp_path)) == 1


def test_a_missing_index_is_an_os_error_with_its_errno(tmp_path: Path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(StorageError, match="no index can be opened") as caught:
            Store(folder).read()
        assert caught.value.errno == errno.ENOENT
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_the_system_refuses_to_open_is_not_called_missing(tmp_path: Path):
    store = Store(tmp_path)
    path = tmp_path / commit(store, None, 1).files[0].name
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match="cannot open"):
        store.read()
