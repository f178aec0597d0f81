"""What every command runs in: errors become one line and an exit code, warnings a line each."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fewbits.cli.output import Output
from fewbits.errors import FewbitsError

FAILED = 1
BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130
BROKEN_PIPE = 141


@contextmanager
def session(*, as_json: bool, quiet: bool) -> Iterator[Output]:
    """Yield the command's output.

    Errors of fewbits, and refusals of the operating system that name a file, are told in one line
    on stderr (with --json as a document on stdout, too) and end the command with exit code 1.
    Anything else is a bug and passes through.
    """
    out = Output(as_json=as_json, quiet=quiet)
    try:
        with _warnings_as_lines():
            yield out
    except FewbitsError as error:
        out.failed(type(error).__name__, str(error))
        raise typer.Exit(FAILED) from error
    except BrokenPipeError as error:
        drop_stdout()
        raise typer.Exit(BROKEN_PIPE) from error
    except OSError as error:
        if error.filename is None:
            raise
        out.failed(type(error).__name__, f"{error.filename}: {error.strerror}")
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as stop:
        raise typer.Exit(INTERRUPTED) from stop


def drop_stdout() -> None:
    """Send what is left in the buffer of stdout nowhere, so that closing it cannot fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    told: set[str] = set()

    def show(message: Warning | str, *_where: object, **_more: object) -> None:
        line = " ".join(f"warning: {message}".split())
        if line not in told:
            told.add(line)
            typer.echo(line, err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
