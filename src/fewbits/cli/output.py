"""Results on stdout: one JSON document or a view for people. Everything else goes to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDTH = 200  # characters where stdout is a file or a pipe


class Output:
    """Where a command puts its result.

    Attributes:
        as_json: stdout gets exactly one JSON document and nothing else.
        quiet: no progress bars.
    """

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        """Remember what was asked for; nothing is written yet."""
        self.as_json = as_json
        self.quiet = quiet

    def result(self, document: Mapping[str, Any], view: Callable[[], list[RenderableType]]) -> None:
        """Print the document, or the view made of it. Call once, when everything is done."""
        if self.as_json:
            _write_json(document)
        else:
            _write_view(view())

    def failed(self, kind: str, message: str) -> None:
        """Tell an error: one line on stderr, and with --json a document on stdout."""
        line = " ".join(message.split())
        typer.echo(f"error: {line}", err=True)
        if self.as_json:
            _write_json({"error": {"type": kind, "message": message}})


def _write_json(document: Mapping[str, Any]) -> None:
    # ASCII is valid whatever the encoding of stdout; NaN would not be JSON.
    sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")
    sys.stdout.flush()


def _write_view(parts: list[RenderableType]) -> None:
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(*parts, sep="\n")
    # rich pads lines to the width of the table; a file should not hold that.
    lines = (line.rstrip() for line in captured.get().splitlines())
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
