from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
from cli_program import call, environment, need_default_model, write_vectors
from typer.testing import CliRunner

import fewbits
from fewbits.cli.app import app

COMMANDS = ("embed", "quantize", "search", "info", "evaluate", "demo")


def example(*command):
    """Return the last line of the help, which is an example."""
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    head, line = done.stdout.rstrip().splitlines()[-2:]
    assert head.strip() == "Example:"
    return shlex.split(line)


def test_the_program_lists_its_commands():
    done = call("--help")
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
    assert "..." not in done.stdout.split("Commands:")[1]  # no summary is cut off


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_an_example_of_its_command(command):
    assert example(command)[:2] == ["fewbits", command]


def test_the_examples_run_one_after_the_other(tmp_path):
    need_default_model()
    texts = [f"how to open file number {i}" for i in range(12)]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    for command in ("embed", "quantize", "search", "info"):
        call(*example(command)[1:], cwd=tmp_path)
    write_vectors(tmp_path)
    call(*example("evaluate")[1:], cwd=tmp_path)
    assert (tmp_path / "report.html").exists()


def test_the_version_is_printed():
    assert call("--version").stdout == f"fewbits {fewbits.__version__}\n"


@pytest.mark.parametrize("module", ["fewbits", "fewbits.cli"])
def test_the_program_runs_as_a_module(module):
    args = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(args, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("fewbits ")


@pytest.mark.skipif(os.name != "posix", reason="processor time of children is POSIX")
@pytest.mark.parametrize(
    ("args", "limit"), [(["--help"], 0.4), (["quantize", "--help"], 0.8)], ids=["all", "quantize"]
)
def test_help_comes_at_once(args, limit):
    spent = []
    for _ in range(3):  # the first one may have to write bytecode
        before = sum(os.times()[2:4])
        call(*args)
        spent.append(sum(os.times()[2:4]) - before)
    # Seconds of the processor, about twice those of an idle machine: other programs do not count.
    assert min(spent) < limit


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import fewbits", {"typer", "rich", "tokenizers", "safetensors"}),
        ("import fewbits.cli.app", {"rich", "tokenizers", "safetensors", "numpy"}),
    ],
)
def test_an_import_loads_nothing_heavy(code, absent):
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert not absent & set(done.stdout.split())
