"""The two shapes that people read: a table, and a list of facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, left: Sequence[int] = (0,)
) -> Table:
    """Return a table; columns are aligned right except those numbered in `left`."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, head in enumerate(heads):
        wide = number in left
        made.add_column(Text(head), justify="left" if wide else "right", no_wrap=not wide)
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))  # Text: an id may look like markup
    return made


def facts(pairs: Mapping[str, object]) -> Table:
    """Return names and values, one pair per line."""
    made = Table.grid(padding=(0, 2))
    for name, value in pairs.items():
        made.add_row(Text(name, style="bold"), Text(str(value)))
    return made


def size(count: float) -> str:
    """Return a number of bytes as people read it, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:,.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"


def opening(text: str, limit: int = 90) -> str:
    """Return the first words of a text on one line."""
    line = " ".join(text[: 8 * limit].split())
    return line if len(line) <= limit else line[: limit - 1].rsplit(" ", 1)[0] + "…"
