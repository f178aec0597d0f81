"""Several writers and readers at once: no update is lost, no mixture is read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fewbits.errors import ConflictError, FormatError
from fewbits.vectors import store as store_module
from fewbits.vectors.store import Snapshot, Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals")


def commit(store: Store, base: int | None, value: int) -> Snapshot:
    with store.writer(base) as writer:
        for _ in range(2):
            writer.add("segment", {"codes": np.full(999, value % 251)}, {"value": value})
        return writer.commit({"value": value})


def value(snapshot: Snapshot) -> int:
    """Return the one value that every part of a snapshot must agree on."""
    for entry in snapshot.files:
        assert entry.contents.params == snapshot.params
        assert (entry.contents.tensors["codes"] == snapshot.params["value"] % 251).all()
    return snapshot.params["value"]


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


COUNT = """
import sys
from fewbits.errors import ConflictError
from fewbits.vectors.store import Store
store, conflicts = Store(sys.argv[1]), 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    while True:
        now = store.read()
        try:
            with store.writer(now.generation) as writer:
                writer.commit({"value": now.params["value"] + 1})
            break
        except ConflictError:
            conflicts += 1
print(conflicts)
"""


def test_two_processes_that_count_together_lose_no_step(tmp_path: Path):
    store = Store(tmp_path)
    with store.writer(None) as writer:
        writer.commit({"value": 0})
    processes = [start(COUNT, tmp_path) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        finish(process)
    assert store.read().params == {"value": 40}
    assert store.read().generation == 41


HOLD = """
import sys
import numpy as np
from fewbits.vectors.store import Store
with Store(sys.argv[1]).writer(None) as writer:
    writer.add("segment", {"codes": np.zeros(9)}, {})
    print("holding", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["kill -9", "leave"])
def test_a_writer_in_another_process_is_refused_until_it_ends(end: str, tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    process = start(HOLD, tmp_path)
    assert process.stdout.readline() == "holding\n"
    with pytest.raises(ConflictError, match="is being written by another process"):
        commit(store, 1, 2)
    assert value(store.read()) == 1  # readers are not locked out
    if end == "leave":
        process.stdin.write("\n")
        finish(process)
    else:
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert value(commit(store, 1, 3)) == 3
    assert len(list(tmp_path.iterdir())) == 4


FORK = """
import os, sys, time
from fewbits.vectors.store import Store
store, child = Store(sys.argv[1]), 0
try:
    with store.writer(None) as writer:
        child = os.fork()
        if child == 0:
            time.sleep(30)  # alive with a copy of the lock's handle
            os._exit(0)
        writer.commit({})
    with store.writer(1) as writer:
        writer.commit({})
finally:
    os.kill(child, 9)
    os.waitpid(child, 0)
"""


def test_a_child_forked_while_writing_does_not_keep_the_lock(tmp_path: Path):
    finish(start(FORK, tmp_path))
    assert Store(tmp_path).read().generation == 2


def test_of_many_threads_with_the_same_base_one_commits(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 0)
    outcomes: list[str] = []
    gate = threading.Barrier(8)

    def work(number: int) -> None:
        gate.wait()
        try:
            commit(Store(tmp_path), 1, number)
            outcomes.append("committed")
        except ConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["committed"] + ["refused"] * 7
    assert store.read().generation == 2


def test_a_commit_just_before_the_lock_is_taken_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(tmp_path)
    commit(store, None, 1)
    real = store_module.exclusive

    def exclusive(path: Path):
        monkeypatch.setattr(store_module, "exclusive", real)
        commit(Store(tmp_path), 1, 2)
        return real(path)

    monkeypatch.setattr(store_module, "exclusive", exclusive)
    with pytest.raises(ConflictError, match="somebody else saved meanwhile"):
        commit(store, 1, 3)
    assert value(store.read()) == 2


WRITE = """
import sys
import numpy as np
from fewbits.vectors.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
for value in range(2, 10**9):
    with store.writer(None) as writer:
        for _ in range(2):
            writer.add("segment", {"codes": np.full(999, value % 251)}, {"value": value})
        writer.commit({"value": value})
"""


def test_a_reader_beside_a_busy_writer_always_sees_one_whole_state(tmp_path: Path):
    store = Store(tmp_path)
    commit(store, None, 1)
    process = start(WRITE, tmp_path)
    assert process.stdout.readline() == "ready\n"
    seen: list[int] = []
    try:
        while len(set(seen)) < 30 and len(seen) < 20_000:
            seen.append(value(store.read()))
    finally:
        process.kill()
        process.communicate()
    assert seen == sorted(seen)
    assert len(set(seen)) == 30


@pytest.mark.parametrize("commits", [1, 3])
def test_a_reader_that_is_overtaken_by_commits_starts_over(
    commits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(tmp_path)
    commit(store, None, 1)
    real, pending = store_module.manifest.load, list(range(2, 2 + commits))

    def load(folder: Path):
        answer = real(folder)
        if pending and not inside:
            inside.append(True)
            commit(Store(folder), None, pending.pop(0))
            inside.clear()
        return answer

    inside: list[bool] = []
    monkeypatch.setattr(store_module.manifest, "load", load)
    assert value(store.read()) == 1 + commits


def test_a_reader_does_not_wait_for_a_file_that_is_simply_gone(tmp_path: Path):
    store = Store(tmp_path)
    first = commit(store, None, 1)
    os.unlink(tmp_path / first.files[0].name)
    with pytest.raises(FormatError, match="a file that the manifest lists is missing"):
        store.read()
