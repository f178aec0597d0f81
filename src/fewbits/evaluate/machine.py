"""The fingerprint of the machine and the versions, printed with every measurement."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np

from fewbits import vectors


def fingerprint() -> dict[str, str | int]:
    """Return CPU name, usable cores, SIMD level, system and versions, as JSON-ready values."""
    return {
        "cpu": _cpu_name(),
        "cores": _cores(),
        "simd_level": vectors.simd_level(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "fewbits": _version(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware", "cpu model"):
            return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version() -> str:
    try:
        return metadata.version("fewbits")
    except metadata.PackageNotFoundError:
        return "source tree"
