"""Running the program as a user does, on tiny data and a tiny model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fewbits
from fewbits.models import default_model

ROOT = Path(__file__).parents[1]
TINY_MODEL = ROOT / "data" / "models" / "bert"
PROGRAM = [sys.executable, "-m", "fewbits"]


def environment(**more):
    source = str(Path(fewbits.__file__).parents[1])
    path = os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH")) if part)
    return {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", **more}


def call(*args, cwd=None, stdin="", expect=0, **more):
    """Run `fewbits args...`; check its exit code; return the finished process."""
    done = subprocess.run(
        [*PROGRAM, *map(str, args)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        env=environment(**more),
        timeout=120,
        check=False,
    )
    assert done.returncode == expect, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done


def document(*args, **options):
    """Run with --json and return what stdout holds, which must be one line of JSON."""
    done = call(*args, "--json", **options)
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


TEXTS = [
    "reads a file line by line",
    "opens a window on the screen",
    "sorts a list of numbers",
    "größe des fensters ändern",
]


def write_corpus(folder):
    """Write a retrieval data set of four documents with unicode ids and two queries."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [{"_id": f"dök-{i}", "title": "", "text": text} for i, text in enumerate(TEXTS)]
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (folder / "corpus.jsonl").write_text(lines, encoding="utf-8")
    queries = [{"_id": "q0", "text": "read a file"}, {"_id": "q1", "text": "sort numbers"}]
    text = "".join(json.dumps(query) + "\n" for query in queries)
    (folder / "queries.jsonl").write_text(text, encoding="utf-8")
    (folder / "qrels.tsv").write_text("q0\tdök-0\t1\nq1\tdök-2\t1\n", encoding="utf-8")
    return folder


def write_vectors(folder, n=300, d=16):
    """Write x.npy (n, d) and q.npy, its first five rows."""
    x = np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "q.npy", x[:5])
    return x


def need_default_model():
    """Skip where the package of the default model is not installed."""
    try:
        default_model()
    except fewbits.ModelError as error:
        pytest.skip(f"default model: {error}")
