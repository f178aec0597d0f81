from __future__ import annotations

import json
import warnings

import pytest
import typer

from fewbits.cli.session import session
from fewbits.cli.views import facts, opening, size, table
from fewbits.errors import CalibrationWarning, FormatError


def run(error, *, as_json=False):
    with pytest.raises(typer.Exit) as caught, session(as_json=as_json, quiet=True):
        raise error
    return caught.value.exit_code


def test_an_error_is_one_line_on_stderr_and_exit_code_1(capsys):
    assert run(FormatError("it is\n  damaged")) == 1
    assert capsys.readouterr() == ("", "error: it is damaged\n")


def test_with_json_an_error_is_a_document_too(capsys):
    assert run(FormatError("damaged"), as_json=True) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"type": "FormatError", "message": "damaged"}}
    assert err == "error: damaged\n"


def test_a_refusal_of_the_system_names_the_file(capsys):
    assert run(PermissionError(13, "Permission denied", "a/b")) == 1
    assert capsys.readouterr().err == "error: a/b: Permission denied\n"


def test_an_interrupt_ends_with_130_and_says_nothing(capsys):
    assert run(KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("error", [RuntimeError("bug"), OSError("without a file"), TypeError()])
def test_a_bug_is_not_swallowed(error):
    with pytest.raises(type(error)), session(as_json=True, quiet=True):
        raise error


def test_a_warning_is_one_line_on_stderr_and_is_told_once(capsys):
    with session(as_json=False, quiet=True):
        for _ in range(3):
            warnings.warn(CalibrationWarning("few\n rows"), stacklevel=1)
        warnings.warn("other", stacklevel=1)
    assert capsys.readouterr() == ("", "warning: few rows\nwarning: other\n")


def test_ids_that_look_like_markup_are_printed_as_they_are(capsys):
    with session(as_json=False, quiet=True) as out:
        out.result({}, lambda: [table(["id"], [["[red]x[/red] :smile:"]]), facts({"[b]": "[i]"})])
    printed = capsys.readouterr().out
    assert "[red]x[/red] :smile:" in printed
    assert "[b]  [i]" in printed


def test_json_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="JSON"), session(as_json=True, quiet=True) as out:
        out.result({"score": float("nan")}, list)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123_456, "123 kB"), (5e9, "5.0 GB")],
)
def test_sizes_read_well(count, text):
    assert size(count) == text


def test_an_opening_is_one_line_cut_between_words():
    assert opening("a\n b") == "a b"
    cut = opening("word " * 50, 20)
    assert cut == "word word word…"
