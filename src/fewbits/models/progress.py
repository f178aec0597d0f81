"""How far a long encode has come: a callback, a bar on the terminal, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from fewbits.errors import InputError

Progress: TypeAlias = bool | Callable[[int, int], None] | None


@contextmanager
def as_callback(progress: Progress, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of texts just done.

    Raises:
        InputError: `progress` is neither None, a bool nor callable.
    """
    if progress is None or progress is False:
        yield _ignore
    elif progress is True:
        with _bar(total) as advance:
            yield advance
    elif callable(progress):
        yield _counting(progress, total)
    else:
        raise InputError(
            f"progress must be None, a bool or a function of (done, total), "
            f"got {type(progress).__name__}"
        )


def _ignore(count: int) -> None:
    """Take no notice."""


def _counting(report: Callable[[int, int], None], total: int) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(done, total)

    return advance


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import Progress as Bar  # costs 50 ms, so only where it is wanted

    with Bar() as bar:
        task = bar.add_task("encode", total=total)
        yield lambda count: bar.advance(task, count)
