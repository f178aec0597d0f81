"""What a folder takes on disk."""

from __future__ import annotations

from pathlib import Path


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder and below it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
