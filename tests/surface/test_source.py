"""What the source must not contain, and what the compiled objects must not."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import fewbits

PACKAGE = Path(fewbits.__file__).parent
ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "src" / "native"

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "input", "breakpoint"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
LAYERS = {
    "cli": 5, "serve": 5, "evaluate": 4, "vectors": 3, "models": 3, "storage": 2, "numerics": 2,
}  # fmt: skip


def trees():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text())


TREES = list(trees())
IDS = [str(path) for path, _ in TREES]


def imports_of(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize(("path", "tree"), TREES, ids=IDS)
def test_no_code_comes_out_of_data(path, tree):
    assert not FORBIDDEN_MODULES & {name.split(".")[0] for name in imports_of(tree)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        assert called not in FORBIDDEN_CALLS, f"line {node.lineno}"
        keywords = {k.arg: k.value for k in node.keywords}
        assert "allow_pickle" not in keywords or not getattr(
            keywords["allow_pickle"], "value", True
        )
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "torch.load":
            assert getattr(keywords.get("weights_only"), "value", False) is True
        assert not getattr(keywords.get("shell"), "value", False), f"line {node.lineno}"


@pytest.mark.parametrize(("path", "tree"), TREES, ids=IDS)
def test_rooms_import_only_from_the_rooms_below(path, tree):
    own = LAYERS.get(path.parts[0], 1 if path.name == "arrays.py" else 0)
    if path.name in ("__init__.py", "__main__.py") and len(path.parts) == 1:
        return
    for name in imports_of(tree):
        parts = name.split(".")
        if parts[0] != "fewbits" or len(parts) < 2 or parts[1] in ("errors", "_native"):
            continue
        level = LAYERS.get(parts[1], 1)
        assert parts[1] == path.parts[0] or level < own, f"{path} imports {name}"


@pytest.mark.parametrize(("path", "tree"), TREES, ids=IDS)
def test_optional_packages_are_imported_where_they_are_used(path, tree):
    """torch only in models/qat.py, onnx only in models/onnx.py, and never at the top elsewhere."""
    homes = {"torch": "qat", "onnx": "onnx", "onnxruntime": "onnx"}
    for name in imports_of(tree):
        top = name.split(".")[0]
        assert top not in ("scipy", "transformers", "optimum", "sentence_transformers", "pandas")
        if top in homes:
            assert path.parts[0] == "models", path
            assert homes[top] in str(path), path


@pytest.mark.parametrize(("path", "tree"), TREES, ids=IDS)
def test_every_file_holds_one_idea(path, tree):
    lines = (PACKAGE / path).read_text().splitlines()
    assert len(lines) <= 400, f"{path} has {len(lines)} lines; do two ideas live there?"
    assert path.name not in ("utils.py", "helpers.py", "common.py", "misc.py")


TEXTS = [
    p
    for pattern in (
        "src/**/*.py",
        "src/**/*.pyi",
        "src/**/*.h",
        "src/**/*.cpp",
        "*.md",
        "docs/**/*.md",
    )
    for p in sorted(ROOT.glob(pattern))
]


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_text_speaks_of_the_project_alone(path):
    text = path.read_text()
    assert "/work/" not in text
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)


LEVELS = ("avx2", "avx512", "neon", "dotprod")
ISA = sorted(
    p
    for pattern in ("*/*.cpp", "encoder/*/*.cpp")
    for p in NATIVE.glob(pattern)
    if p.stem in LEVELS
)
ALLOWED = {"immintrin.h", "arm_neon.h", "cstddef", "cstdint", "utility"}
STD = re.compile(r"\bstd::(?!size_t|u?int\d+_t|ptrdiff_t|(make_)?index_sequence)\w+")


@pytest.mark.skipif(not ISA, reason="the C++ sources are not here")
@pytest.mark.parametrize("path", ISA, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_files_of_a_cpu_level_use_no_standard_library(path):
    """An inline function compiled for a new CPU could be the copy that the linker keeps for all."""
    text = path.read_text()
    assert set(re.findall(r"#include <([^>]+)>", text)) <= ALLOWED
    assert not STD.findall(text)
    # Nor may the text of a level be seen by the linker: it has no namespace of its own.
    before, include, _ = text.partition('#include "../lanes/')
    assert not include or before.rstrip().endswith("namespace {")


def test_headers_that_cpu_levels_share_use_no_standard_library():
    shared = set(NATIVE.glob("lanes/*.h"))
    for path in ISA:
        for name in re.findall(r'#include "([^"]+)"', path.read_text()):
            shared.add((path.parent / name).resolve())
    for path in sorted(shared):
        text = path.read_text()
        assert set(re.findall(r"#include <([^>]+)>", text)) <= ALLOWED, path
        assert not STD.findall(text), path


def scalar_objects() -> list[Path]:
    given = os.environ.get("FEWBITS_BUILD_DIR")
    folders = [Path(given)] if given else sorted(ROOT.glob("build*"))
    found = []
    for folder in folders:
        for part in ("fewbits_scalar", "fewbits_core"):
            found += sorted(folder.rglob(f"{part}.dir/**/*.o"))
    return found


def test_code_for_every_cpu_holds_no_wide_instruction():
    objects = scalar_objects()
    if not objects or not shutil.which("objdump"):
        pytest.skip("needs objdump and a build folder: set FEWBITS_BUILD_DIR, or build in ./build")
    if "x86-64" not in subprocess.check_output(["objdump", "-f", str(objects[0])], text=True):
        pytest.skip("not an x86-64 build")
    for path in objects:
        code = subprocess.check_output(
            ["objdump", "-d", "--no-show-raw-insn", str(path)], text=True
        )
        wide = [
            line for line in code.splitlines() if re.search(r"%[yz]mm|\t(v[a-z]+|popcnt) ", line)
        ]
        assert wide == [], path
