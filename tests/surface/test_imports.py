"""What importing costs and loads."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import fewbits

HEAVY = [
    "torch", "onnx", "onnxruntime", "rich", "typer", "tokenizers", "transformers", "jinja2",
    "safetensors", "scipy", "pandas", "sentence_transformers", "huggingface_hub", "click",
]  # fmt: skip
LIMIT = 0.3  # seconds; 0.15 on a quiet machine


def in_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import fewbits",
        "import fewbits; fewbits.Index; fewbits.Int8; fewbits.quantizer_names()",
        "import fewbits.vectors",
        "import fewbits.numerics",
    ],
)
def test_importing_loads_nothing_heavy(statement):
    found = in_python(f"{statement}\nimport sys; print(*sorted(sys.modules))").split()
    assert sorted(set(HEAVY) & set(found)) == []


@pytest.mark.parametrize("name", ["Encoder", "evaluate", "numerics"])
def test_what_is_optional_stays_out_until_it_is_used(name):
    found = in_python(f"import fewbits; fewbits.{name}\nimport sys; print(*sorted(sys.modules))")
    assert not {"torch", "onnx", "onnxruntime", "transformers", "jinja2"} & set(found.split())


def test_importing_the_package_alone_loads_no_room():
    found = in_python("import fewbits, sys; print(*sorted(sys.modules))").split()
    assert [m for m in found if m.startswith("fewbits")] == ["fewbits"]


def test_importing_costs_little_over_numpy():
    code = """
import time, numpy, dataclasses, typing
start = time.perf_counter()
import fewbits; fewbits.Index
print(time.perf_counter() - start)
"""
    times = [float(in_python(code)) for _ in range(5)]
    assert statistics.median(times) <= LIMIT, times


def test_vectors_and_models_do_not_load_each_other():
    vectors = in_python("import fewbits.vectors, sys; print(*sys.modules)").split()
    models = in_python("import fewbits.models, sys; print(*sys.modules)").split()
    assert not [m for m in vectors if m.startswith(("fewbits.models", "fewbits.evaluate"))]
    assert not [m for m in models if m.startswith(("fewbits.vectors", "fewbits.evaluate"))]


def test_the_package_is_marked_as_typed():
    assert (Path(fewbits.__file__).parent / "py.typed").is_file()
