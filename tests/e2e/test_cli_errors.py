from __future__ import annotations

import json

import numpy as np
import pytest
from cli_program import TINY_MODEL, call, write_vectors
from typer.testing import CliRunner

from fewbits.cli.app import app

X = ("x.npy", "-o", "out")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Good vectors and an index, and one bad file of each kind."""
    path = tmp_path_factory.mktemp("errors")
    write_vectors(path)
    call("quantize", "x.npy", "-o", "good", cwd=path)
    call("quantize", "x.npy", "-o", "damaged", cwd=path)
    segment = next((path / "damaged").glob("segment-*"))
    raw = bytearray(segment.read_bytes())
    raw[-5] ^= 1
    segment.write_bytes(raw)
    np.save(path / "wide.npy", np.ones((2, 17), np.float32))
    np.save(path / "nan.npy", np.full((2, 16), np.nan, np.float32))
    np.save(path / "ints.npy", np.ones((2, 16), np.int64))
    np.save(path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (path / "cut.npy").write_bytes((path / "x.npy").read_bytes()[:-100])
    (path / "few.txt").write_text("a\nb\n", encoding="utf-8")
    (path / "empty.txt").write_text("\n", encoding="utf-8")
    (path / "twice.jsonl").write_text('{"id": 1, "text": "a"}\n' * 2, encoding="utf-8")
    (path / "latin.txt").write_bytes(b"caf\xe9\n")
    (path / "empty").mkdir()
    return path


ERRORS = [
    (("quantize", "nope.npy", "-o", "out"), "nope.npy is not a readable file"),
    (("quantize", "cut.npy", "-o", "out"), "cut.npy is not a complete .npy file"),
    (("quantize", "nan.npy", "-o", "out"), "nan.npy[0, 0] is nan"),
    (("quantize", "ints.npy", "-o", "out"), "must hold floats"),
    (("quantize", "objects.npy", "-o", "out"), "objects.npy is not a complete .npy file"),
    (("quantize", *X, "--ids", "few.txt"), "ids must have one entry per row"),
    (("quantize", *X, "--ids", "nope.txt"), "nope.txt is not a readable file"),
    (("quantize", *X, "--param", "observer=guess"), "observer must be one of"),
    (("quantize", "x.npy", "-o", "few.txt"), "few.txt"),
    (("quantize", *X, "--calibration", "wide.npy"), "columns"),
    (("search", "damaged", "--vectors", "q.npy"), "checksum"),
    (("search", "empty", "--vectors", "q.npy"), "no index can be opened"),
    (("search", "good", "--vectors", "wide.npy"), "must have 16 columns, got 17"),
    (("search", "good", "--vectors", "q.npy", "--oversample", "2"), "something to rescore with"),
    (("search", "good", "--vectors", "q.npy", "--filter-ids", "few.txt"), "integer ids"),
    (("search", "good", "--text", "a", "--model", "empty"), "empty/config.json is missing"),
    (("info", "damaged"), "checksum"),
    (("info", "nope"), "must be an index or a model folder"),
    (("info", "empty"), "no index can be opened"),
    (("embed", "nope.txt", "-o", "y.npy", "--model", str(TINY_MODEL)), "nope.txt"),
    (("embed", "x.npy", "-o", "y.npy", "--model", str(TINY_MODEL)), "texts must be a .txt"),
    (("embed", "empty.txt", "-o", "y.npy", "--model", str(TINY_MODEL)), "holds no text"),
    (("embed", "few.txt", "-o", "y.bin", "--model", str(TINY_MODEL)), "must end in .npy"),
    (("embed", "few.txt", "-o", "no/y.npy", "--model", str(TINY_MODEL)), "cannot write no"),
    (("embed", "twice.jsonl", "-o", "y.npy", "--model", str(TINY_MODEL)), "given twice"),
    (("embed", "latin.txt", "-o", "y.npy", "--model", str(TINY_MODEL)), "not UTF-8"),
    (("embed", "few.txt", "-o", "y.npy", "--model", "nope"), "existing model folder"),
    (("evaluate", "empty"), "corpus.jsonl"),
    (("evaluate", "--vectors", "x.npy", "--queries", "wide.npy"), "17"),
]


@pytest.mark.parametrize(("args", "words"), ERRORS, ids=[" ".join(a[:2]) for a, _ in ERRORS])
def test_an_error_is_one_line_that_names_the_cause(folder, monkeypatch, args, words):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, [*args, "--json"])
    assert done.exit_code == 1, done.output
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert words in line
    said = json.loads(done.stdout)
    assert set(said) == {"error"}
    assert set(said["error"]) == {"type", "message"}
    assert not (folder / "out").exists()
    assert not (folder / "y.npy").exists()


USAGE = [
    (),
    ("embed",),
    ("embed", "few.txt"),
    ("serve",),
    ("quantize", "x.npy"),
    ("quantize", *X, "--to", "int3"),
    ("quantize", *X, "--param", "seed"),
    ("quantize", *X, "--threads", "0"),
    ("quantize", *X, "--nonsense"),
    ("search", "good"),
    ("search", "good", "--text", "a", "--vectors", "q.npy"),
    ("search", "good", "--vectors", "q.npy", "-k", "0"),
    ("evaluate",),
    ("evaluate", "data", "--vectors", "x.npy", "--queries", "q.npy"),
    ("evaluate", "--vectors", "x.npy"),
    ("evaluate", "--queries", "q.npy"),
    ("demo", "--docs", "3"),
]


@pytest.mark.parametrize("args", USAGE, ids=[" ".join(a) or "nothing" for a in USAGE])
def test_wrong_usage_exits_with_2_and_writes_nothing(folder, monkeypatch, args):
    monkeypatch.chdir(folder)
    before = sorted(path.name for path in folder.iterdir())
    done = CliRunner().invoke(app, list(args))
    assert done.exit_code == 2
    assert "Usage: " in done.output
    assert sorted(path.name for path in folder.iterdir()) == before


def test_the_exit_codes_reach_the_shell(folder):
    damaged = call("info", "damaged", cwd=folder, expect=1)
    assert damaged.stdout == ""
    assert damaged.stderr.startswith("error: damaged/")
    assert damaged.stderr.count("\n") == 1
    usage = call("search", "good", "-k", "0", cwd=folder, expect=2)
    assert "Traceback" not in usage.stderr


def test_a_bug_shows_its_traceback_and_exits_with_70(folder):
    broken = (
        "import fewbits.cli.session as s; s.Output = None; import fewbits.cli.app as a; a.main()"
    )
    import subprocess
    import sys

    from cli_program import environment

    done = subprocess.run(
        [sys.executable, "-c", broken, "info", "good"],
        cwd=folder, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 70
    assert "TypeError" in done.stderr
    assert done.stdout == ""
