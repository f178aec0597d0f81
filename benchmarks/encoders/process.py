"""The runner's side of a worker: start it, ask it, let it rest while others are measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

_POOLS = ("OMP", "MKL", "OPENBLAS", "RAYON", "NUMEXPR", "VECLIB", "TBB", "BLIS")


class EngineFailure(Exception):
    """An engine that could not do what was asked; the message is for the table."""


class Process:
    """A worker. Stopped between questions, so that threads that spin take nothing from others."""

    def __init__(self, job: dict[str, Any], log: Path) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "job.json"
        path.write_text(json.dumps(job))
        count = str(job["threads"])
        environment = os.environ | {f"{pool}_NUM_THREADS": count for pool in _POOLS}
        environment |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("a")
        self._child = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker", str(path)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, name: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        """Return the answer to a command.

        Raises:
            EngineFailure: the engine failed, or its process ended.
        """
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.send_signal(signal.SIGCONT)
            child.stdin.write(json.dumps({"do": name, **given}) + "\n")
            child.stdin.flush()
            line = child.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise EngineFailure(f"its process ended with {child.wait()}; see {self._log.name}")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise EngineFailure(answer["failed"])
        child.send_signal(signal.SIGSTOP)
        return answer

    def close(self) -> None:
        """End the worker."""
        self._child.kill()
        self._child.wait()
        self._log.close()
        self._folder.cleanup()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
