"""An index survives kill -9, a full disk, many threads, and a fork."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from variants import same_bits, sample

from fewbits.errors import StorageError
from fewbits.vectors import Index

KILLS = int(os.environ.get("FEWBITS_KILLS", "20"))
D = 16

# One process forks a writer for every kill: it adds, deletes and saves without a pause, and tells
# through a pipe how many rows every finished save had.
SAVER = """
import os, random, signal, sys, time
import numpy as np
from fewbits.vectors import Index

folder, kills = sys.argv[1], int(sys.argv[2])
draw = random.Random(3)
block = np.random.default_rng(0).standard_normal((200, 16)).astype(np.float32)

def save_forever(pipe):
    index = Index.open(folder)
    while True:
        index.add(block)
        if draw.random() < 0.2:
            index.compact()
        index.save(folder)
        os.write(pipe, len(index).to_bytes(8, "little"))

last = 200
for number in range(kills):
    reader, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        save_forever(pipe)
    os.close(pipe)
    said = os.read(reader, 8) if number % 4 == 3 else b""  # some saves do finish, however slow
    time.sleep(draw.uniform(0.001, 0.08))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while piece := os.read(reader, 65536):
        said += piece
    os.close(reader)
    last = int.from_bytes(said[-8:], "little") if said else last
    index = Index.open(folder)
    rows = len(index)
    assert rows in (last, last + 200), (rows, last)
    held = index.ids.tolist()
    assert (sorted(held) if sys.argv[3] == "by list" else held) == list(range(rows))
    assert index.search(block[:2], rows + 1).ids.shape == (2, rows)
    last = rows
print("rows", last)
"""


KILLED = {
    "as added": {"quantizer": "int8"},
    "by list": {"quantizer": "trellis", "bits": 4, "clusters": 4, "rescore_bits": 6},
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
@pytest.mark.parametrize("order", KILLED)
def test_a_kill_during_save_leaves_the_old_or_the_new_index(order, tmp_path):
    index = Index(**KILLED[order]).fit(np.tile(sample(100, D), (3, 1))[:256])
    index.add(sample(200, D)).save(tmp_path / "index")
    done = subprocess.run(
        [sys.executable, "-c", SAVER, str(tmp_path / "index"), str(KILLS), order],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 200  # some saves did finish
    left = [p.name for p in (tmp_path / "index").iterdir()]
    again = Index.open(tmp_path / "index")
    again.save(tmp_path / "index")
    swept = [p.name for p in (tmp_path / "index").iterdir()]
    assert not [name for name in swept if "tmp" in name]
    assert len(swept) <= len(left)


FULL = """
import resource, signal, sys
from fewbits.errors import StorageError
from fewbits.vectors import Index
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
index = Index.open(sys.argv[1])
index.add(np.ones((20000, 16), np.float32))
for limit in (0, 1, 100, 4096, 100000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        index.save(sys.argv[1])
        print("saved", limit)
    except StorageError as error:
        print("refused", limit)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert len(Index.open(sys.argv[1])) == 300
index.save(sys.argv[1])
assert len(Index.open(sys.argv[1])) == 20300
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_old_index_and_a_later_save_succeeds(tmp_path):
    Index("int8").add(sample(300, D)).save(tmp_path / "index")
    before = {p.name: p.read_bytes() for p in (tmp_path / "index").iterdir()}
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, raw in before.items():
        (copy / name).write_bytes(raw)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(copy)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.split() == "refused 0 refused 1 refused 100 refused 4096 refused 100000".split()
    )


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_storage_error(tmp_path):
    index = Index("int8").add(sample(300, D))
    index.save(tmp_path / "index")
    (tmp_path / "index").chmod(0o500)
    with pytest.raises(StorageError):
        index.add(sample(3, D)).save(tmp_path / "index")
    (tmp_path / "index").chmod(0o700)
    assert len(Index.open(tmp_path / "index")) == 300


def test_threads_that_search_while_one_adds_see_whole_rows():
    """Every hit has the id and the score that its row has; no search fails or sees half a row."""
    x = sample(4000, D)
    index = Index("int8", rescore="float16").fit(x).add(x[:1000])
    full = Index(index.quantizer, rescore="float16").fit(x).add(x)
    q = sample(2, D, seed=1)
    truth = full.search(q, 4000, oversample=1)
    order = np.argsort(truth.ids, axis=1)
    scores = np.take_along_axis(truth.scores, order, axis=1)  # by id, which are 0 to 3999
    errors, stop, rounds = [], threading.Event(), [0]

    def search():
        try:
            while not stop.is_set():
                hits = index.search(q, 50, oversample=1, threads=1)
                assert same_bits(hits.scores, np.take_along_axis(scores, hits.ids, axis=1))
                filtered = index.search(q, 20, filter=range(0, 4000, 3), oversample=1, threads=1)
                assert (filtered.ids % 3 == 0).all()
                assert filtered.ids.shape == (2, 20)
                rounds[0] += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for start in range(1000, 4000, 20):
        index.add(x[start : start + 20], ids=range(start, start + 20))
        time.sleep(0.001)
    deadline = time.monotonic() + 10
    while rounds[0] < 20 and not errors and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert rounds[0] >= 20
    assert np.array_equal(index.search(q, 4000, oversample=1).ids, truth.ids)


def test_threads_that_search_while_one_deletes_never_see_a_row_come_back():
    x = sample(3000, D)
    index = Index("int8").add(x)
    gone: set[int] = set()
    errors, stop = [], threading.Event()

    def search():
        try:
            while not stop.is_set():
                before = set(gone)
                hits = index.search(x[:1], 3000, threads=1)
                assert not before & set(hits.ids[0].tolist())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for start in range(0, 2900, 29):
        chosen = list(range(start, start + 29))
        index.delete(chosen)
        gone.update(chosen)
        if start % 290 == 0:
            index.add(x[:5])
    stop.set()
    for thread in threads:
        thread.join(30)
    assert errors == []


def change(index, folder, number, first):
    """One step of a thread: 1 saves, 2 compacts, 3 deletes what it added, 4 only adds."""
    x = sample(10, D)
    index.add(x, ids=range(first, first + 10))
    then = {
        1: lambda: index.save(folder),
        2: index.compact,
        3: lambda: index.delete([first]),
        4: lambda: None,
    }
    then[number]()
    index.search(x[:2], 20, filter=range(first, first + 10))


def test_threads_that_write_and_save_at_once_lose_nothing(tmp_path):
    x = sample(300, D)
    index = Index("int8").add(x)
    errors = []

    def work(number):
        try:
            for step in range(10):
                change(index, tmp_path / "index", number, 1000 * number + 10 * step)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    expected = {*range(300), *(1000 * n + i for n in range(1, 5) for i in range(100))}
    expected -= {3000 + 10 * step for step in range(10)}
    index.save(tmp_path / "index")
    for found in (index, Index.open(tmp_path / "index")):
        assert set(found.ids.tolist()) == expected
        assert len(found) == len(expected)
        assert found.search(x[:1], 2000).ids.shape == (1, len(expected))


def _child(index, q, expected, connection):
    hits = index.search(q, 10)
    codes = index.quantizer.encode(np.tile(q, (5000, 1)), threads=2)
    connection.send((same_bits(hits.scores, expected.scores), len(codes)))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_forked_child_searches_and_encodes():
    x = np.tile(sample(300, D), (200, 1))
    index = Index("int8").add(x)
    q = sample(5, D, seed=1)
    expected = index.search(q, 10, threads=2)  # threads have run in the parent before the fork
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process = context.Process(target=_child, args=(index, q, expected, theirs))
        process.start()
    assert ours.poll(30)
    assert ours.recv() == (True, 25_000)
    process.join(30)
    assert process.exitcode == 0


def test_shared_quantizers_give_serial_results_in_many_threads():
    from variants import cases

    chosen = [v for v in cases() if v.label == "default"]
    work = [(v.fitted(D), sample(40, D, seed=i)) for i, v in enumerate(chosen)] * 4
    serial = [(q.encode(x), q.score(x, q.encode(x))) for q, x in work]
    results: list[object] = [None] * len(work)

    def run(part):
        for _ in range(5):
            for i in range(part, len(work), 8):
                quantizer, x = work[i]
                codes = quantizer.encode(x, threads=2)
                results[i] = (codes, quantizer.score(x, codes, threads=2))

    threads = [threading.Thread(target=run, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for found, expected in zip(results, serial, strict=True):
        assert same_bits(found[0], expected[0])
        assert same_bits(found[1], expected[1])


def test_an_interrupt_during_add_leaves_the_index_as_it_was():
    index = Index("int8").add(sample(300, D))

    def blocks():
        yield sample(50, D, seed=1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
        yield sample(50, D, seed=2)

    with pytest.raises(KeyboardInterrupt):
        index.add(blocks())
    assert len(index) == 300
    assert index.add(sample(1, D)).ids.tolist()[-1] == 300
