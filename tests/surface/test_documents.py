"""The Python examples in README.md and docs/ run as they stand, in order, in an empty folder."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

from fewbits.errors import CalibrationWarning

ROOT = Path(__file__).parents[2]
FILES = [p for p in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if p.is_file()]
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(path: Path) -> list[tuple[int, str]]:
    """Return (line, code) of every block marked ```python."""
    text = path.read_text()
    return [(text[: m.start(1)].count("\n"), m.group(1)) for m in BLOCK.finditer(text)]


EXAMPLES = [p for p in FILES if blocks(p)]


@pytest.mark.skipif(not EXAMPLES, reason="there are no documents with Python examples yet")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_examples_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks(path):
        padded = "\n" * line + code  # tracebacks then name the line of the document
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CalibrationWarning)
            exec(compile(padded, str(path), "exec"), scope)


def test_the_harness_finds_blocks_and_their_lines(tmp_path):
    (tmp_path / "a.md").write_text(
        "x\n```python\na = 1\n```\n```bash\nno\n```\n```python\nb\n```\n"
    )
    assert blocks(tmp_path / "a.md") == [(2, "a = 1\n"), (8, "b\n")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), target
