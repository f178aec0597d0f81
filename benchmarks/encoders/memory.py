"""Memory of this process as the system counts it, in bytes; 0 where it does not tell."""

from __future__ import annotations

from pathlib import Path


def resident() -> int:
    """Return what lies in memory now, pages of mapped files included."""
    return _line("VmRSS")


def peak() -> int:
    """Return the most that ever lay in memory."""
    return _line("VmHWM")


def _line(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    found = [int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:")]
    return found[0] if found else 0
