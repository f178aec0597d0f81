"""The `fewbits` program: its commands and its exit codes.

0 done; 1 an error that fewbits explains in one line; 2 wrong usage; 70 a bug, with its traceback;
130 interrupted by Ctrl-C; 141 the reader of stdout went away.
"""

from __future__ import annotations

import io
import sys
import traceback
from typing import Annotated

import typer

import fewbits
from fewbits.cli.choices import ListsQuantizers
from fewbits.cli.demo import demo
from fewbits.cli.embed import embed
from fewbits.cli.evaluate import evaluate
from fewbits.cli.info import info
from fewbits.cli.model.app import model
from fewbits.cli.quantize import quantize
from fewbits.cli.search import search
from fewbits.cli.session import BROKEN_PIPE, BUG, INTERRUPTED, drop_stdout

app = typer.Typer(
    name="fewbits",
    add_completion=False,
    no_args_is_help=True,
    # Plain help loads no part of rich, fits every terminal and can be copied from.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _example(*lines: str) -> str:
    # \b keeps the lines as they are.
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


app.command(epilog=_example("fewbits embed texts.txt -o x.npy"))(embed)
app.command(
    cls=ListsQuantizers,
    epilog=_example("fewbits quantize x.npy -o corpus.fewbits --to int8 --rescore float16"),
)(quantize)
app.command(
    epilog=_example('fewbits search corpus.fewbits --text "how to open a file" -k 3'),
)(search)
app.command(epilog=_example("fewbits info corpus.fewbits"))(info)
app.command(
    cls=ListsQuantizers,
    epilog=_example("fewbits evaluate --vectors x.npy --queries q.npy --report report.html"),
)(evaluate)
app.command(epilog=_example("fewbits demo --quick"))(demo)
app.add_typer(model)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fewbits {fewbits.__version__}")
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
]


@app.callback(epilog=_example("fewbits demo --quick"))
def _root(version: _Version = False) -> None:
    """Make embedding vectors small, search them, and see what that costs on your own data."""


def main() -> None:
    """Run the program; never returns."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter of an id must not end the program.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run())


def _run() -> int:
    try:
        app(prog_name="fewbits")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception:  # not swallowed: shown in full, with an exit code of its own
        traceback.print_exc()
        code = BUG
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
        code = BROKEN_PIPE
    return code
