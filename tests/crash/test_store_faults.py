"""Whatever call of a save fails, the folder holds the old or the new state, whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewbits.errors import StorageError
from fewbits.storage import container
from fewbits.vectors import store as store_module
from fewbits.vectors.store import Snapshot, Store

CALLS = ["open", "write", "fsync", "replace"]  # of the os module
MANY = 200  # more calls than any save here makes

ERRORS: dict[str, Callable[[], BaseException]] = {
    "disk full": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "io error": lambda: OSError(errno.EIO, "Input/output error"),
    "interrupt": KeyboardInterrupt,
}


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="tells files from folders by /proc"
)


class Fault:
    """Makes the `nth` of the calls fail: before it, half-way through a write, or after it."""

    def __init__(self, nth: int, when: str, error: str) -> None:
        self.nth, self.when, self.error = nth, when, error
        self.count, self.failed = 0, ""

    def wrap(self, name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count != self.nth:
                return call(*args, **kwargs)
            self.failed = name
            if self.when == "half" and name == "write":
                call(args[0], args[1][: len(args[1]) // 2])
            elif self.when == "after":
                result = call(*args, **kwargs)
                if name == "open":
                    os.close(result)
            raise ERRORS[self.error]()

        return wrapped

    def strike(self, monkeypatch: pytest.MonkeyPatch, save: Callable[[], Any]) -> str:
        """Run `save` with the fault in place; return the message of the error, '' for none."""
        with monkeypatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, self.wrap(name))
            expected = KeyboardInterrupt if self.error == "interrupt" else StorageError
            try:
                save()
            except expected as error:
                return str(error) or self.error
        return ""


def every_fault(when: str, error: str) -> Iterator[Fault]:
    """Yield faults at call 1, 2, 3 ... until one is not reached: the save then succeeded."""
    for nth in range(1, MANY):
        fault = Fault(nth, when, error)
        yield fault
        if not fault.failed:
            return
    pytest.fail(f"a save makes more than {MANY} calls")


table = pytest.mark.parametrize(
    ("when", "error"), [(when, error) for when in ("before", "half", "after") for error in ERRORS]
)


@table
def test_a_failed_write_leaves_the_old_file_or_the_new(
    when: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a"
    old, new = np.arange(3000), np.arange(5000)[::-1]
    failed = []
    for fault in every_fault(when, error):
        container.write(path, {"x": old}, kind="segment", params={})
        before = path.read_bytes()
        save = lambda: container.write(path, {"x": new}, kind="segment", params={})  # noqa: E731
        message = fault.strike(monkeypatch, save)
        assert bool(message) == bool(fault.failed)
        assert [p.name for p in tmp_path.iterdir()] == ["a"]
        back = container.read(path, kind="segment").tensors["x"]
        if path.read_bytes() != before:
            np.testing.assert_array_equal(back, new)
        if when != "after" and "what was there before is unchanged" in message:
            assert path.read_bytes() == before
        failed.append((fault.failed, len(back) == len(old)))
    assert [name for name, _ in failed[-3:]] == ["open", "fsync", ""]  # of the folder, then none
    # Up to the replace the old file is there, after it the new one.
    replaced = [name for name, _ in failed].index("replace")
    assert all(is_old for _, is_old in failed[:replaced])
    assert failed[replaced][1] == (when != "after")
    assert not any(is_old for _, is_old in failed[replaced + 1 :])


def fill(store: Store, base: int | None, value: int, keep: Snapshot | None = None) -> Snapshot:
    with store.writer(base) as writer:
        if keep:
            writer.keep(keep.files[0])
        for part in range(2):
            codes = np.full((50, 8), value + part, np.uint8)
            writer.add("segment", {"codes": codes}, {"value": value + part})
        return writer.commit({"value": value})


def values(snapshot: Snapshot) -> list[int]:
    for entry in snapshot.files:
        assert (entry.contents.tensors["codes"] == entry.contents.params["value"]).all()
    return [entry.contents.params["value"] for entry in snapshot.files]


@table
def test_a_failed_commit_leaves_the_old_state_or_the_new(
    when: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(tmp_path)
    struck = set()
    for fault in every_fault(when, error):
        fill(store, None, 10)
        old = store.read()
        mapped = [entry.contents.tensors["codes"] for entry in old.files]
        message = fault.strike(monkeypatch, lambda old=old: fill(store, old.generation, 20, old))

        now = store.read()
        is_new = now.generation != old.generation
        assert values(now) == ([10, 20, 21] if is_new else [10, 11])
        assert now.params == {"value": 20 if is_new else 10}
        assert bool(message) == bool(fault.failed)
        names = {path.name for path in tmp_path.iterdir()} - {"manifest.json", ".lock"}
        listed = {entry.name for entry in now.files}
        if not is_new or not message:
            assert names == listed, fault.failed
        # An unconfirmed commit keeps the files of before: a power cut might bring them back.
        assert names <= listed | {entry.name for entry in old.files}
        assert [int(codes[0, 0]) for codes in mapped] == [10, 11]
        assert values(fill(store, now.generation, 30)) == [30, 31]  # the lock is free again
        struck.add((fault.failed, is_new))
    assert {(name, False) for name in CALLS} <= struck
    assert {("open", True), ("fsync", True), ("", True)} <= struck


@needs_proc
def test_data_reaches_the_disk_before_its_name_and_names_before_the_old_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(tmp_path)
    old = {entry.name for entry in fill(store, None, 10).files}
    calls: list[str] = []
    fsync, replace, unlink = os.fsync, os.replace, os.unlink

    def name_of(handle: int) -> str:
        return "folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file"

    def note(call: Callable[..., Any], text: Callable[[Any], str]) -> Callable[..., Any]:
        def noted(*args: Any) -> Any:
            calls.append(text(args[0]))
            return call(*args)

        return noted

    monkeypatch.setattr(os, "fsync", note(fsync, lambda handle: f"sync {name_of(handle)}"))
    monkeypatch.setattr(os, "replace", note(replace, lambda path: "rename"))
    monkeypatch.setattr(
        os, "unlink", note(unlink, lambda path: "remove" if Path(path).name in old else "temp")
    )
    fill(store, 1, 20)
    steps = [call for call in calls if call != "temp"]
    assert steps == ["sync file", "rename", "sync folder"] * 3 + ["remove"] * 2


def test_new_folders_reach_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[Path] = []
    real = store_module.sync_folder
    monkeypatch.setattr(
        store_module, "sync_folder", lambda folder: (synced.append(folder), real(folder))
    )
    fill(Store(tmp_path / "a" / "b"), None, 10)
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b"} == set(synced)


def test_files_stay_when_nobody_can_tell_whether_the_commit_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store, replace = Store(tmp_path), os.replace

    def replace_and_break(source: Path, target: Path) -> None:
        replace(source, target)
        if Path(target).name == "manifest.json":
            raise OSError(errno.EIO, "Input/output error")

    def unreadable(path: Path) -> bytes:
        raise OSError(errno.EIO, f"Input/output error: {path}")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_and_break)
        patch.setattr(Path, "read_bytes", unreadable)
        with pytest.raises(StorageError, match="Input/output error"):
            fill(store, None, 10)
    assert values(store.read()) == [10, 11]


def test_a_commit_that_is_not_confirmed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(tmp_path)
    messages = []
    for fault in every_fault("before", "io error"):
        fill(store, None, 10)
        messages.append(fault.strike(monkeypatch, lambda: fill(store, None, 20)))
    assert messages[-1] == ""
    for message in messages[-3:-1]:
        assert "holds the new state, but the system did not confirm that it is on disk" in message
    assert all("Input/output error" in message for message in messages[:-1])


@needs_proc
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_folders_is_good_enough(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = os.fsync

    def fsync(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(number, "not for folders")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    assert values(fill(Store(tmp_path), None, 10)) == [10, 11]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:7]))
    assert values(fill(Store(tmp_path), None, 10)) == [10, 11]
    assert values(Store(tmp_path).read()) == [10, 11]


LIMITED = """
import resource, sys
import numpy as np
from fewbits.errors import StorageError
from fewbits.storage import container
from fewbits.vectors import store as store_module
from fewbits.vectors.store import Store
folder = sys.argv[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
big = {"codes": np.zeros((5000, 100), np.uint8)}
def save_store():
    with Store(folder).writer(1) as writer:
        writer.add("segment", {"codes": np.zeros(9, np.uint8)}, {})
        writer.add("segment", big, {})
        writer.commit({})
for save in (save_store, lambda: container.write(folder + "/../a", big, kind="segment", params={})):
    try:
        save()
    except StorageError as error:
        print(error)
    else:
        sys.exit("the limit was not noticed")
"""


def run(script: str, folder: Path, **options: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
def test_a_real_limit_on_file_size_leaves_the_old_state(tmp_path: Path):
    folder, file = tmp_path / "index", tmp_path / "a"
    fill(Store(folder), None, 10)
    container.write(file, {"x": np.arange(5)}, kind="segment", params={})
    before = {path: path.read_bytes() for path in (*folder.iterdir(), file)}
    output = run(LIMITED, folder)
    assert output.count("File too large; what was there before is unchanged") == 2
    assert {path: path.read_bytes() for path in (*folder.iterdir(), file)} == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_read_only_folder_is_refused_and_unchanged(tmp_path: Path):
    store = Store(tmp_path / "index")
    fill(store, None, 10)
    before = {path: path.read_bytes() for path in store.folder.iterdir()}
    store.folder.chmod(0o500)
    try:
        with suppress(PermissionError):
            (store.folder / "probe").touch()
            pytest.skip("this user may write to read-only folders")
        assert values(store.read()) == [10, 11]
        with pytest.raises(StorageError, match="Permission denied"):
            fill(store, 1, 20)
    finally:
        store.folder.chmod(0o700)
    assert {path: path.read_bytes() for path in store.folder.iterdir()} == before


def test_a_folder_below_a_read_only_one_is_refused(tmp_path: Path):
    tmp_path.chmod(0o500)
    try:
        with suppress(PermissionError):
            (tmp_path / "probe").touch()
            pytest.skip("this user may write to read-only folders")
        with pytest.raises(StorageError, match=r"cannot create .*Permission denied"):
            fill(Store(tmp_path / "index"), None, 20)
    finally:
        tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == []
