"""One engine in a process of its own: `python -m benchmarks.encoders.worker JOB.json`.

Reads commands, one JSON object a line ("do" names a method of `Worker`), and answers each with one.
What libraries print goes to the log.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from benchmarks.encoders.memory import peak, resident

if TYPE_CHECKING:
    from benchmarks.encoders.engine import Engine
    from benchmarks.encoders.texts import Texts

_BARE = resident()
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_TUNED_ROUNDS = 3


class Worker:
    """Does what the runner asks of one engine."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self._engine: Engine | None = None
        self._held: Texts | None = None
        self._ids: dict[str, list[Any]] = {}
        self._warm: set[bool] = set()

    def build(self) -> dict[str, Any]:
        """Let the engine write its files; return the seconds."""
        engine = self._make(self._entry().first_choice)
        begin = time.perf_counter()
        engine.build(self._texts().calibration)
        return {"build_s": time.perf_counter() - begin}

    def tune(self, count: int) -> dict[str, Any]:
        """Return the fastest choice on so many texts, option after option, and all times."""
        entry, ids = self._entry(), self._tokens("passages")[:count]
        choice = entry.first_choice
        tried: list[tuple[dict[str, Any], float]] = []
        for key, values in entry.options.items():
            for value in values:
                if {**choice, key: value} not in [each for each, _ in tried]:
                    tried.append(
                        ({**choice, key: value}, self._seconds({**choice, key: value}, ids))
                    )
            choice = min(tried, key=lambda each: each[1])[0]
        return {"choice": choice, "tried": tried}

    def load(self) -> dict[str, Any]:
        """Load the engine; return the seconds until then and until the first vector."""
        text = self._texts().shorts[0]
        self._entry()  # numpy and this benchmark's own modules do not count
        begin = time.perf_counter()
        engine = self._make(self.job["choice"])
        engine.load()
        loaded = time.perf_counter()
        engine.encode([text])
        done = time.perf_counter()
        self._engine = engine
        return {
            "load_s": loaded - begin,
            "first_s": done - begin,
            "disk_bytes": sum(path.stat().st_size for path in engine.files()),
            "version": _version(self._entry().package),
        }

    def many(self, *, tokenize: bool) -> dict[str, Any]:
        """Encode all passages once; return the seconds, wall and CPU."""
        engine = self._loaded()
        passages = self._texts().passages if tokenize else self._tokens("passages")
        call: Callable[[Any], Any] = engine.encode if tokenize else engine.encode_ids
        used = time.process_time()
        wall = _timed(call, passages)
        return {"wall_s": wall, "cpu_s": time.process_time() - used}

    def waits(self, *, tokenize: bool, count: int) -> dict[str, Any]:
        """Encode short texts one after the other; return the seconds of each."""
        engine = self._loaded()
        shorts: Sequence[Any] = self._texts().shorts if tokenize else self._tokens("shorts")
        call: Callable[[Any], Any] = engine.encode if tokenize else engine.encode_ids
        if tokenize not in self._warm:
            self._warm.add(tokenize)
            for each in shorts:
                call([each])
        return {"waits_s": [_timed(call, [shorts[i % len(shorts)]]) for i in range(count)]}

    def memory(self) -> dict[str, Any]:
        """Return the growth of the resident set since the bare interpreter, now and at most."""
        return {"resident_bytes": resident() - _BARE, "peak_bytes": peak() - _BARE}

    def vectors(self, texts: str, output: str) -> dict[str, Any]:
        """Encode the texts of a JSON file into a .npy file."""
        import numpy as np

        np.save(output, self._loaded().encode(json.loads(Path(texts).read_text())))
        return {}

    def invariance(self, count: int) -> dict[str, Any]:
        """Return the largest difference of a coordinate between a text alone and beside others."""
        import numpy as np

        engine = self._loaded()
        ids = [*self._tokens("passages")[:count], *self._tokens("shorts")]
        together = engine.encode_ids(ids)
        alone = np.concatenate([engine.encode_ids([each]) for each in ids])
        return {"largest_difference": float(np.abs(together - alone).max())}

    def _seconds(self, choice: dict[str, Any], ids: list[Any]) -> float:
        engine = self._make(choice)
        engine.load()
        engine.encode_ids(ids)
        return min(_timed(engine.encode_ids, ids) for _ in range(_TUNED_ROUNDS))

    def _entry(self) -> Any:  # noqa: ANN401 - imported late, so that memory counts from nothing
        from benchmarks.encoders.engines import entries

        return entries()[self.job["engine"]]

    def _make(self, choice: dict[str, Any]) -> Engine:
        from benchmarks.encoders.engine import Setting

        job = self.job
        folder, shared = Path(job["folder"]), Path(job["shared"])
        made: Engine = self._entry().make(
            Setting(Path(job["model"]), folder, shared, job["threads"], choice)
        )
        return made

    def _loaded(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("load comes first")
        return self._engine

    def _texts(self) -> Texts:
        from benchmarks.encoders.texts import Texts

        if self._held is None:
            self._held = Texts.read(Path(self.job["texts"]))
        return self._held

    def _tokens(self, kind: str) -> list[Any]:
        import numpy as np

        if kind not in self._ids:
            texts = self._texts()
            found = texts.passage_ids if kind == "passages" else texts.short_ids
            self._ids[kind] = [np.array(each, dtype=np.int32) for each in found]
        return self._ids[kind]


def _timed(call: Callable[[Any], Any], given: Sequence[Any]) -> float:
    begin = time.perf_counter()
    call(given)
    return time.perf_counter() - begin


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "source tree"


def _end_with_parent() -> None:
    """Ask to be killed when the runner ends: a stopped process would not see its input end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, int(signal.SIGKILL))


def main() -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _end_with_parent()
    worker = Worker(json.loads(Path(sys.argv[1]).read_text()))
    for line in sys.stdin:
        _answer(worker, json.loads(line), answers)


def _answer(worker: Worker, command: dict[str, Any], answers: TextIO) -> None:
    name = command.pop("do")
    try:
        found = getattr(worker, name)(**command)
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        found = {"failed": f"{type(error).__name__}: {words}"}
    answers.write(json.dumps(found) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
