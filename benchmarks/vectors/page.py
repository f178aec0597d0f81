"""`page`: writes the tables between markers of Markdown files, and the pictures.

A document says where each part goes, and keeps everything outside the markers:

    <!-- vectors:begin flat -->
    <!-- vectors:end -->

Parts: flat, clustered, bytes-picture, speed-picture, batch-picture, quality, scaling, best,
machine; without a name, all of them that there are results for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.vectors import pictures, tables

from fewbits.evaluate.results import write_text

_BLOCK = re.compile(
    r"(<!-- vectors:begin ?([a-z-]*) -->\n)(.*?)(<!-- vectors:end -->)", flags=re.DOTALL
)


def main(arguments: list[str]) -> None:
    """Write pictures, then every marked block of every document."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vectors page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--run", nargs="+", type=Path, default=[], help="JSON; later rows win")
    parser.add_argument("--quality", type=Path)
    parser.add_argument("--scaling", type=Path)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the SVG files")
    args = parser.parse_args(arguments)
    book = merged([json.loads(path.read_text()) for path in args.run])
    made = text_parts(book, _read(args.quality), _read(args.scaling))
    for name, svg in drawn(book).items():
        args.pictures.mkdir(parents=True, exist_ok=True)
        write_text(args.pictures / f"{name}.svg", svg)
    for document in args.documents:
        folder = Path(os.path.relpath(args.pictures, document.parent)).as_posix()
        parts = {**made, **_picture_parts(book, folder)}
        write_text(document, filled(document.read_text(), parts, document))


def merged(books: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one book with the rows of all; they must be of one machine and one set of vectors."""
    if not books:
        return {}
    for book in books[1:]:
        for key in ("data", "threads"):
            if book[key] != books[0][key]:
                raise SystemExit(f"runs with another {key} cannot share a table")
        if book["machine"]["cpu"] != books[0]["machine"]["cpu"]:
            raise SystemExit("runs of another machine cannot share a table")
    rows = {name: row for book in books for name, row in book["rows"].items()}
    return {**books[-1], "rows": rows}


def text_parts(
    book: dict[str, Any], quality: dict[str, Any], scaling: dict[str, Any]
) -> dict[str, str]:
    """Return the text of every part that there are results for."""
    sources: list[tuple[str, dict[str, Any], Callable[[dict[str, Any]], str]]] = [
        ("machine", book, tables.machine_text),
        ("best", book, tables.best_table),
        ("flat", book, tables.flat_table),
        ("clustered", book, tables.reach_table),
        ("quality", quality, tables.quality_table),
        ("scaling", scaling, tables.scaling_table),
    ]
    return {name: make(held) for name, held, make in sources if held and make(held)}


def drawn(book: dict[str, Any]) -> dict[str, str]:
    """Return the SVG documents by file name."""
    if not book or not tables.good_rows(book, "flat"):
        return {}
    return {
        "vectors-bytes": pictures.recall_by_bytes(book),
        "vectors-speed": pictures.recall_by_speed(book),
        "vectors-batch": pictures.recall_by_batch(book),
    }


def _picture_parts(book: dict[str, Any], folder: str) -> dict[str, str]:
    axes = {"bytes": pictures.BYTES, "speed": pictures.SPEED, "batch": pictures.BATCH}
    titles = {f"vectors-{name}": held.title for name, held in axes.items()}
    return {
        f"{name.removeprefix('vectors-')}-picture": f"![{titles[name]}]({folder}/{name}.svg)"
        for name in drawn(book)
    }


def filled(text: str, parts: dict[str, str], document: Path) -> str:
    """Return a document with its marked blocks replaced; a part without results is an error."""

    def block(match: re.Match[str]) -> str:
        name = match[2]
        if name and name not in parts:
            raise SystemExit(f"{document} asks for {name!r}; there are: {', '.join(parts)}")
        body = parts[name] if name else "\n\n".join(parts.values())
        return f"{match[1]}\n{body}\n\n{match[4]}"

    changed, count = _BLOCK.subn(block, text)
    if count == 0:
        raise SystemExit(f"{document} holds no <!-- vectors:begin --> … <!-- vectors:end -->")
    return changed


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    book: dict[str, Any] = json.loads(path.read_text())
    return book
