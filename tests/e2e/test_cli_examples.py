from __future__ import annotations

import subprocess
import sys

import numpy as np
from cli_program import ROOT, environment, need_default_model, write_vectors

import fewbits

EXAMPLES = ROOT.parent / "examples"


def run(name, *args, cwd):
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *args],
        cwd=cwd, env=environment(), capture_output=True, encoding="utf-8", check=True, timeout=120,
    ).stdout  # fmt: skip


def test_the_quickstart_finds_something_and_saves_it(tmp_path):
    need_default_model()
    lines = run("quickstart.py", cwd=tmp_path).splitlines()
    assert len(lines) == 4
    assert lines[-1] == "300 vectors, 384 bytes each instead of 1536"
    assert lines[0].split()[1] in fewbits.Index.open(tmp_path / "docstrings.fewbits")


def test_choosing_a_format_takes_the_smallest_that_is_good_enough(tmp_path):
    write_vectors(tmp_path, n=600)
    lines = run("choose_a_format.py", "x.npy", "0.9", cwd=tmp_path).splitlines()
    assert [line.split()[0] for line in lines[:-1]] == sorted(
        fewbits.quantizer_names(),
        key=lambda name: fewbits.make_quantizer(name).fit(np.load(tmp_path / "x.npy")).code_size,
    )
    assert lines[-1].startswith("take ")
    assert (tmp_path / "report.html").exists()
    assert "no format alone keeps 200%" in run("choose_a_format.py", "x.npy", "2", cwd=tmp_path)
