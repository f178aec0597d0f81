"""What the command line offers follows from the registries."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from fewbits.vectors import quantizer_names

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("fewbits.cli.app") is None
    if importlib.util.find_spec("fewbits.cli")
    else True,
    reason="there is no command line yet",
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fewbits", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_help_is_shown():
    done = run("--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_every_registered_quantizer_can_be_chosen():
    texts = [run("--help").stdout] + [
        run(command, "--help").stdout for command in ("quantize", "evaluate", "search", "info")
    ]
    for name in quantizer_names():
        assert any(name in text for text in texts), name


def test_an_unknown_command_is_refused_without_a_traceback():
    done = run("no-such-command")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
