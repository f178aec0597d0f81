"""One file per library; every file holds ENTRIES. A new engine is a new row or a new file."""

from __future__ import annotations

import importlib
import pkgutil

from benchmarks.encoders.engine import Entry


def entries() -> dict[str, Entry]:
    """Return every engine by name. Libraries are imported only when an engine is loaded."""
    found: dict[str, Entry] = {}
    for module in pkgutil.iter_modules(__path__):
        for entry in importlib.import_module(f"{__name__}.{module.name}").ENTRIES:
            if entry.name in found:
                raise ValueError(f"two engines are named {entry.name!r}")
            found[entry.name] = entry
    return found
