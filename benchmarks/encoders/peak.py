"""The machine's peak of INT8 operations: compiles peak.cpp and runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("peak.cpp")
_NO_VNNI = 3


class Peak:
    """The compiled loop; without a compiler or AVX-512 VNNI it measures nothing."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._threads = threads
        self._program: Path | None = None
        compiler = shutil.which("g++")
        if compiler:
            program = folder / "peak"
            command = [compiler, "-O2", "-pthread", str(_SOURCE), "-o", str(program)]
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                self._program = program

    def measure(self) -> float | None:
        """Return INT8 GOP/s of all threads together, the median of many blocks, or None."""
        if self._program is None:
            return None
        command = [str(self._program), str(self._threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == _NO_VNNI:
            return None
        done.check_returncode()
        return float(json.loads(done.stdout)["median"])
