"""kill -9 at any moment leaves the old or the new state, and nothing that is in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fewbits.vectors.store import Store

KILLS = int(os.environ.get("FEWBITS_KILLS", "60"))

# One process imports the package once, then forks a writer for every kill. The writer commits
# without a pause and acknowledges every commit through a pipe.
SCRIPT = """
import json, os, random, signal, sys, time
import numpy as np
from fewbits.vectors.store import Store

folder, kills = sys.argv[1], int(sys.argv[2])
store, draw = Store(folder), random.Random(5)

def write_forever(pipe):
    snapshot = store.read() if store.exists() else None
    while True:
        step = (snapshot.params["step"] if snapshot else 0) + 1
        with store.writer(snapshot.generation if snapshot else None) as writer:
            if snapshot and step % 3:
                writer.keep(snapshot.files[-1])
            for part in range(2):
                codes = np.full((300, 64), (step + part) % 251, np.uint8)
                writer.add("segment", {"codes": codes}, {"value": (step + part) % 251})
            snapshot = writer.commit({"step": step})
        os.write(pipe, snapshot.params["step"].to_bytes(8, "little"))

last, left, moved, names = 0, 0, 0, set()
for number in range(kills):
    reader, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        write_forever(pipe)
    os.close(pipe)
    time.sleep(draw.uniform(0.001, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    said = b""
    while piece := os.read(reader, 65536):
        said += piece
    os.close(reader)
    said = int.from_bytes(said[-8:], "little") if said else last
    if not store.exists():
        assert said == 0, said
        continue
    snapshot = store.read()
    step = snapshot.params["step"]
    assert said <= step <= said + 1, (said, step)  # nothing acknowledged is lost
    kept = int(step % 3 != 0 and step > 1)
    assert len(snapshot.files) == 2 + kept
    for part, entry in enumerate(snapshot.files[kept:]):
        assert entry.contents.params["value"] == (step + part) % 251
    for entry in snapshot.files:
        assert (entry.contents.tensors["codes"] == entry.contents.params["value"]).all()
    present = set(os.listdir(folder)) - {"manifest.json", ".lock"}
    left += present != {entry.name for entry in snapshot.files}
    moved += step != last
    last = step
print(json.dumps({"commits": last, "left": left, "moved": moved}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
def test_every_kill_leaves_the_last_acknowledged_state_or_the_next(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(KILLS)],
        capture_output=True,
        text=True,
        timeout=30 + KILLS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    print(seen)  # noqa: T201 - shown with -s
    # The kills did hit commits at work, or nothing was tested.
    assert seen["left"] >= KILLS // 10
    assert seen["moved"] >= KILLS // 10

    store = Store(tmp_path)
    with store.writer(store.read().generation) as writer:
        writer.commit({})
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", ".lock"}
