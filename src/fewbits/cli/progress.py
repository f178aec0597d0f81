"""Progress bars on stderr, where a person is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Advance: TypeAlias = Callable[..., None]
"""Called as advance(done, total) or advance(done, total, label)."""


@contextmanager
def bar(label: str, *, quiet: bool) -> Iterator[Advance]:
    """Yield a function that moves a bar; without a terminal, or if quiet, it does nothing."""
    if quiet or not sys.stderr.isatty():
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, Remaining(), console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=None)

        def advance(done: int, total: int, name: str = label) -> None:
            bars.update(task, completed=done, total=total, description=name)

        yield advance


def _ignore(done: int, total: int, name: str = "") -> None:
    """Show nothing."""
