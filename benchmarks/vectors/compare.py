"""`run`: every chosen engine on one set of vectors, written to JSON after each of them."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.vectors.data import (
    Prepared,
    Source,
    add_source_arguments,
    prepare,
    source_of,
)
from benchmarks.vectors.runner import (
    Plan,
    Row,
    add_plan_arguments,
    chosen_entries,
    measure,
    plan_of,
)
from benchmarks.vectors.tables import comparison

from fewbits.evaluate.machine import fingerprint
from fewbits.evaluate.results import write_text

_SLOWER, _SPREAD = 1.15, 0.25  # beyond these a row counts as noisy


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vectors run", description=__doc__)
    add_source_arguments(parser)
    add_plan_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON; resumed if there")
    parser.add_argument("--again", action="store_true", help="measure what is in the JSON anew")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as spare:
        workspace = args.workspace or Path(spare)
        source = source_of(args)
        data = prepare(source, workspace)
        plan = plan_of(args, workspace)
        book = _opened(args.output, source, data, plan)
        for entry, spec in chosen_entries(args):
            if book["rows"].get(entry.name, {}).get("status") == "ok" and not args.again:
                continue
            row = measure(entry, spec, data, plan)
            for point in row.get("points", []):
                del point["per_query"]
            keep(book, args.output, row)
            print(f"{entry.name}: {row['status']}", flush=True)
    print(comparison(book))


def keep(book: dict[str, Any], path: Path, row: Row) -> None:
    """Note one row, judge anew which rows are noisy, and write the file in one step."""
    book["rows"][row["engine"]] = {**row, "measured": _now()}
    book["usual_pulse_ms"] = mark_noise(book["rows"].values())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(book, indent=1) + "\n")


def mark_noise(rows: Iterable[Row]) -> float:
    """Set `noisy` where the fixed work beside an engine was slow, or its rounds disagree.

    Slow is more than 15 % above the lower quartile of all engines' medians, which is returned, in
    milliseconds.
    """
    good = [row for row in rows if row["status"] == "ok"]
    middles = [row["pulse"]["median_ms"] for row in good]
    usual = quantiles(middles, n=4)[0] if len(middles) > 1 else middles[0] if middles else 0.0
    for row in good:
        row["noisy"] = row["pulse"]["median_ms"] > _SLOWER * usual
        for point in row["points"]:
            point["noisy"] = row["noisy"] or point.get("spread", 0.0) > _SPREAD
    return usual


def _opened(path: Path, source: Source, data: Prepared, plan: Plan) -> dict[str, Any]:
    """Return the book in a file, or a new one; another machine or other data is refused."""
    said = {
        "machine": fingerprint(),
        "data": {
            "vectors": [Path(name).name for name in source.vectors],
            "query_files": [Path(name).name for name in source.query_files],
            "held_out": source.held_out,
            "n": data.n,
            "d": data.d,
            "queries": data.queries,
        },
        "threads": plan.threads,
    }
    if not path.exists():
        rest = {"rounds": plan.rounds, "budget_s": plan.budget_s, "started": _now(), "rows": {}}
        return {**said, **rest}
    book: dict[str, Any] = json.loads(path.read_text())
    for key in ("data", "threads"):
        if book[key] != said[key]:
            raise SystemExit(f"{path} holds another {key}: {book[key]}; choose another output")
    if book["machine"]["cpu"] != said["machine"]["cpu"]:  # type: ignore[index]
        raise SystemExit(f"{path} was measured on another machine; choose another output")
    return book


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
