"""`run`: every chosen engine on the same texts, in turns, written to JSON.

Each engine has a process of its own that lives as long as the run. Every round goes through all
engines, in an order that is turned by one each time, so that a slow moment of the machine meets all
of them; figures are medians over rounds, ratios medians of ratios within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.encoders.engine import Choice, Entry
from benchmarks.encoders.engines import entries
from benchmarks.encoders.gather import gather
from benchmarks.encoders.peak import Peak
from benchmarks.encoders.process import EngineFailure, Process
from benchmarks.encoders.summary import summarized
from benchmarks.encoders.tables import comparison
from benchmarks.encoders.texts import Texts

from fewbits.evaluate.machine import fingerprint
from fewbits.evaluate.results import write_text
from fewbits.models import EncoderSpec, default_model

_LOADS = 3
_TUNED_TEXTS = 128


def main(arguments: list[str]) -> None:
    """Measure and print."""
    args = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as spare:
        field = Field(args, args.workspace or Path(spare))
        rows = field.prepared(chosen_entries(args))
        peaks = field.rounds(rows)
    book = {
        "machine": fingerprint(),
        "threads": args.threads,
        "data": field.described(),
        "rounds": args.rounds,
        "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "peak_gops": peaks,
        "rows": rows,
    }
    summarized(book)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(args.output, json.dumps(book, indent=1) + "\n")
    print(comparison(book))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.encoders run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--texts", type=int, default=512, help="passages of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--waits", type=int, default=100, help="short texts of a round")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    add_field_arguments(parser)
    return parser


def add_field_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `Field` and `chosen_entries` read."""
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--model", type=Path, help="checkpoint; by default the default model")
    parser.add_argument("--engines", help="regular expressions of names, with commas")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--workspace", type=Path, help="keeps what was built, and logs")


def chosen_entries(args: argparse.Namespace) -> list[Entry]:
    """Return the engines of which a part of the name matches, or all."""
    table = entries()
    if not args.engines:
        return list(table.values())
    found: dict[str, Entry] = {}
    for pattern in args.engines.split(","):
        names = [name for name in table if re.search(pattern, name)]
        if not names:
            raise SystemExit(f"no engine matches {pattern!r}; there are: {', '.join(table)}")
        found |= {name: table[name] for name in names}
    return list(found.values())


class Field:
    """The ground that all engines are measured on: model, texts, folders, threads."""

    def __init__(self, args: argparse.Namespace, workspace: Path) -> None:
        self.model: Path = args.model or default_model()
        self.workspace = workspace
        self.threads: int = args.threads
        self.count: int = getattr(args, "texts", _TUNED_TEXTS)
        self.rounds_wanted: int = getattr(args, "rounds", 1)
        self.waits: int = getattr(args, "waits", 1)
        workspace.mkdir(parents=True, exist_ok=True)
        self.texts: Texts = gather(args.data, self.model, self.count)
        self.texts_path = workspace / f"texts-{self.count}.json"
        self.texts.save(self.texts_path)

    def described(self) -> dict[str, Any]:
        """Return what was encoded, for the result."""
        return {
            "model": self.model.parent.name if self.model.name == "model" else self.model.name,
            "passages": len(self.texts.passages),
            "tokens": self.texts.tokens,
            "operations_per_token": operations_per_token(self.model),
        }

    def process(self, entry: Entry, choice: Choice) -> Process:
        """Start the worker of an engine."""
        name = re.sub(r"[^A-Za-z0-9.=]+", "-", entry.name)
        job = {
            "engine": entry.name,
            "model": str(self.model),
            "folder": str(self.workspace / "built" / name),
            "shared": str(self.workspace / "graphs"),
            "texts": str(self.texts_path),
            "threads": self.threads,
            "choice": choice,
        }
        return Process(job, self.workspace / "logs" / f"{name}.log")

    def build(self, entry: Entry) -> None:
        """Let an engine write its files, unless the workspace has them."""
        mark = self.workspace / "built" / f"{entry.name}.done"
        if not mark.exists():
            with self.process(entry, {}) as process:
                process.ask("build")
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()

    def tuned(self, entry: Entry) -> dict[str, Any]:
        """Return the choice by which an engine is fastest, from the workspace if it is there."""
        if all(len(values) == 1 for values in entry.options.values()):
            return {"choice": entry.first_choice}
        kept = self.workspace / "built" / f"{entry.name}.tuned-{self.threads}.json"
        if kept.exists():
            found: dict[str, Any] = json.loads(kept.read_text())
            return found
        with self.process(entry, {}) as process:
            found = process.ask("tune", count=min(self.count, _TUNED_TEXTS))
        kept.write_text(json.dumps(found))
        return found

    def prepared(self, chosen: list[Entry]) -> dict[str, dict[str, Any]]:
        """Build, tune and load every engine; return a row for each, by name."""
        rows: dict[str, dict[str, Any]] = {}
        for entry in chosen:
            row: dict[str, Any] = {"package": entry.package, "kind": entry.kind, "status": "ok"}
            rows[entry.name] = row
            try:
                self.build(entry)
                row |= self.tuned(entry)
                row["loads"] = [self._loaded(entry, row) for _ in range(_LOADS)]
            except EngineFailure as failure:
                row["status"] = f"failed: {failure}"
            print(f"{entry.name}: {row['status']} {row.get('choice', '')}", flush=True)
        return rows

    def rounds(self, rows: dict[str, dict[str, Any]]) -> list[float | None]:
        """Measure all engines in turns; return the peaks before each round and after the last."""
        table = entries()
        peak = Peak(self.workspace, self.threads)
        peaks = [peak.measure()]
        with ExitStack() as stack:
            turns = []
            for name, row in rows.items():
                if row["status"] == "ok":
                    turns.append(Turn(self, table[name], row, stack))
            for number in range(self.rounds_wanted):
                start = number % max(1, len(turns))
                for turn in turns[start:] + turns[:start]:
                    turn.measure()
                peaks.append(peak.measure())
                print(f"round {number + 1} of {self.rounds_wanted}, peak {peaks[-1]}", flush=True)
        return peaks

    def _loaded(self, entry: Entry, row: dict[str, Any]) -> dict[str, Any]:
        with self.process(entry, entry.single_choice(row["choice"])) as process:
            return process.ask("load")


class Turn:
    """One engine's workers: one for many texts and, where it is run otherwise, one for single."""

    def __init__(self, field: Field, entry: Entry, row: dict[str, Any], stack: ExitStack) -> None:
        self._row = row
        self._waits = field.waits
        choice = row["choice"]
        single = entry.single_choice(choice)
        row |= {"single_choice": single, "rounds": []}
        self._many = stack.enter_context(field.process(entry, choice))
        self._single = self._many
        try:
            self._many.ask("load")
            self._many.ask("many", tokenize=False)
            if single != choice:
                self._single = stack.enter_context(field.process(entry, single))
                self._single.ask("load")
        except EngineFailure as failure:
            row["status"] = f"failed: {failure}"

    def measure(self) -> None:
        """Measure one round."""
        if self._row["status"] != "ok":
            return
        try:
            found: dict[str, Any] = {
                "ids": self._many.ask("many", tokenize=False),
                "texts": self._many.ask("many", tokenize=True),
                "memory": self._many.ask("memory"),
                "waits_ids": self._single.ask("waits", tokenize=False, count=self._waits)[
                    "waits_s"
                ],
                "waits_texts": self._single.ask("waits", tokenize=True, count=self._waits)[
                    "waits_s"
                ],
            }
            self._row["rounds"].append(found)
        except EngineFailure as failure:
            self._row["status"] = f"failed: {failure}"


def operations_per_token(model: Path) -> int:
    """Return the operations of the layers' linears for one token, multiply and add as two."""
    spec = spec_of(model)
    hidden, inner = spec.hidden_size, spec.intermediate_size
    return 2 * spec.layers * (4 * hidden * hidden + 2 * hidden * inner)


def spec_of(model: Path) -> EncoderSpec:
    """Return a checkpoint's shape."""
    from fewbits.models import Encoder

    return Encoder.load(model).spec
