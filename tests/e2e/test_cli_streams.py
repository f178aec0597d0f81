from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from cli_program import PROGRAM, TINY_MODEL, call, environment, write_vectors

posix = pytest.mark.skipif(os.name != "posix", reason="terminals and signals are POSIX here")


def run_on_a_terminal(args, cwd):
    """Run with stderr on a pseudo-terminal; return (stdout, what the terminal showed)."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *map(str, args)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(TERM="xterm", COLUMNS="80"),
    )
    os.close(theirs)
    shown = bytearray()
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not part:
            break
        shown += part
    stdout = process.communicate(timeout=60)[0]
    os.close(ours)
    assert process.returncode == 0, shown.decode(errors="replace")
    return stdout.decode(), shown.decode(errors="replace")


@pytest.fixture
def texts(tmp_path):
    lines = (f"text number {i} of many" for i in range(2500))
    (tmp_path / "t.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


@posix
def test_progress_goes_to_the_terminal_and_json_to_stdout(texts):
    args = ("embed", "t.txt", "-o", "x.npy", "--model", TINY_MODEL, "--json")
    stdout, shown = run_on_a_terminal(args, texts)
    assert json.loads(stdout)["rows"] == 2500
    assert "embed" in shown
    assert "/2500" in shown


@posix
def test_quiet_shows_no_progress(texts):
    args = ("embed", "t.txt", "-o", "x.npy", "--model", TINY_MODEL, "--json", "--quiet")
    assert run_on_a_terminal(args, texts)[1] == ""


def test_without_a_terminal_there_is_no_progress(texts):
    done = call("embed", "t.txt", "-o", "x.npy", "--model", TINY_MODEL, "--json", cwd=texts)
    assert json.loads(done.stdout)["rows"] == 2500
    assert done.stderr == ""


@posix
@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_error_message(tmp_path, extra):
    write_vectors(tmp_path)
    call("quantize", "x.npy", "-o", "i", cwd=tmp_path)
    ours, theirs = os.pipe()
    os.close(ours)  # nobody reads: the first write breaks
    done = subprocess.run(
        [*PROGRAM, "search", "i", "--vectors", "x.npy", *extra],
        cwd=tmp_path,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment(),
        timeout=60,
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


@posix
def test_ctrl_c_ends_with_130_without_a_traceback_and_leaves_no_file(tmp_path):
    lines = "".join(f"text number {i} of many more to come\n" for i in range(200_000))
    (tmp_path / "t.txt").write_text(lines, encoding="utf-8")
    process = subprocess.Popen(
        [*PROGRAM, "embed", "t.txt", "-o", "x.npy", "--model", str(TINY_MODEL)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".fewbits-*.tmp")):  # it is writing
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=30)[1]
    assert (process.returncode, errors) == (130, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]


def test_stdout_that_knows_ascii_only_still_gets_valid_json_and_a_table(tmp_path):
    write_vectors(tmp_path)
    ids = "".join(f"größe-{i}\n" for i in range(300))
    (tmp_path / "ids.txt").write_text(ids, encoding="utf-8")
    call("quantize", "x.npy", "-o", "i", "--ids", "ids.txt", cwd=tmp_path)
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    args = ("search", "i", "--vectors", "q.npy", "-k", 1)
    done = call(*args, "--json", cwd=tmp_path, **ascii_only)
    assert json.loads(done.stdout)["queries"][3]["hits"][0]["id"] == "größe-3"
    assert r"gr\xf6\xdfe-3" in call(*args, cwd=tmp_path, **ascii_only).stdout


def test_the_same_program_is_installed_as_a_command():
    done = subprocess.run(
        [sys.executable, "-c", "from fewbits.cli.app import main; main()", "--version"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("fewbits ")
