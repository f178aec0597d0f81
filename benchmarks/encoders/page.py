"""`page`: writes the tables between markers of Markdown files, and the pictures.

A document says where each part goes, and keeps everything outside the markers:

    <!-- encoders:begin speed -->
    <!-- encoders:end -->

Parts: machine, best, speed, single, quality, speed-picture, cosine-picture; without a name, all of
them that there are results for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

from benchmarks.encoders import pictures, tables

from fewbits.evaluate.results import write_text

_BLOCK = re.compile(
    r"(<!-- encoders:begin ?([a-z-]*) -->\n)(.*?)(<!-- encoders:end -->)", flags=re.DOTALL
)


def main(arguments: list[str]) -> None:
    """Write pictures, then every marked block of every document."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.encoders page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="JSON of `run`")
    parser.add_argument("--quality", type=Path, help="JSON of `quality`")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the SVG files")
    args = parser.parse_args(arguments)
    book = json.loads(args.run.read_text())
    quality = json.loads(args.quality.read_text()) if args.quality else {}
    made = text_parts(book, quality)
    drawn = pictures.drawn(book, quality)
    args.pictures.mkdir(parents=True, exist_ok=True)
    for name, (_, svg) in drawn.items():
        write_text(args.pictures / f"encoders-{name}.svg", svg)
    for document in args.documents:
        folder = Path(os.path.relpath(args.pictures, document.parent)).as_posix()
        shown = {
            f"{name}-picture": f"![{title}]({folder}/encoders-{name}.svg)"
            for name, (title, _) in drawn.items()
        }
        write_text(document, filled(document.read_text(), {**made, **shown}, document))


def text_parts(book: dict[str, Any], quality: dict[str, Any]) -> dict[str, str]:
    """Return the text of every part that there are results for."""
    made = {
        "machine": tables.machine_text(book),
        "best": tables.best_table(book, quality),
        "speed": tables.speed_table(book),
        "single": tables.single_table(book),
    }
    if quality:
        made["quality"] = tables.quality_table(quality)
    return {name: text for name, text in made.items() if text}


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
        raise SystemExit(f"{document} holds no <!-- encoders:begin --> … <!-- encoders:end -->")
    return changed
