"""A new folder appears whole; what dead writers left goes, what living ones hold stays."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fewbits.errors import StorageError
from fewbits.storage.atomic import write_file
from fewbits.storage.folder import LOCK, new_folder
from fewbits.storage.lock import exclusive

DEAD = {
    ".fewbits-0000000000000001.tmp": [],
    ".fewbits-0000000000000002.tmp": [LOCK],
    ".fewbits-0000000000000003.tmp": [LOCK, "a", "sub/b"],
}


def make(parent: Path) -> None:
    for folder, names in DEAD.items():
        (parent / folder).mkdir()
        for name in names:
            (parent / folder / name).parent.mkdir(exist_ok=True)
            (parent / folder / name).write_text("left")


def test_what_dead_writers_left_is_removed(tmp_path: Path):
    make(tmp_path)
    (tmp_path / "mine.tmp").mkdir()
    (tmp_path / ".fewbits-mine.tmp").mkdir()
    with new_folder(tmp_path / "new") as folder:
        write_file(folder / "x", [b"1"])
    assert {p.name for p in tmp_path.iterdir()} == {"new", "mine.tmp", ".fewbits-mine.tmp"}
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"x", LOCK}


def test_a_living_writer_is_left_alone(tmp_path: Path):
    make(tmp_path)
    busy = tmp_path / ".fewbits-0000000000000003.tmp"
    with exclusive(busy / LOCK), new_folder(tmp_path / "new"):
        assert (busy / "sub" / "b").read_text() == "left"
    assert (busy / "sub" / "b").read_text() == "left"


def test_many_writers_beside_each_other_do_not_meet(tmp_path: Path):
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(15):
                with new_folder(tmp_path / f"{number}-{step}") as folder:
                    write_file(folder / "x", [bytes([number])])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(list(tmp_path.iterdir())) == 8 * 15
    assert all((path / "x").read_bytes() for path in tmp_path.iterdir())


def test_a_block_that_raises_leaves_nothing(tmp_path: Path):
    def fail() -> None:
        with new_folder(tmp_path / "new") as folder:
            write_file(folder / "x", [b"1"])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_target_that_filled_meanwhile_is_kept(tmp_path: Path):
    def lose() -> None:
        with new_folder(tmp_path / "new"):
            (tmp_path / "new").mkdir()
            (tmp_path / "new" / "y").write_text("theirs")

    with pytest.raises(StorageError, match="cannot create"):
        lose()
    assert [p.name for p in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new" / "y").read_text() == "theirs"
