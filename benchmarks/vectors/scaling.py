"""`scaling`: search time at one recall against the number of rows, with a fitted exponent.

Each engine is built on the first 50,000, 100,000, ... rows. Its time at the wanted recall is read
off its operating points, between two of them on a log scale; time ~ n^e is fitted by least squares.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.vectors.compare import mark_noise
from benchmarks.vectors.data import add_source_arguments, prepare, source_of
from benchmarks.vectors.runner import Row, add_plan_arguments, chosen_entries, measure, plan_of
from benchmarks.vectors.tables import scaling_table

from fewbits.evaluate.machine import fingerprint
from fewbits.evaluate.results import write_text


def main(arguments: list[str]) -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vectors scaling", description=__doc__
    )
    add_source_arguments(parser)
    add_plan_arguments(parser)
    parser.add_argument("--sizes", nargs="+", type=int, required=True, metavar="N")
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON; resumed if there")
    args = parser.parse_args(arguments)
    book = _opened(args.output)
    with tempfile.TemporaryDirectory() as spare:
        workspace = args.workspace or Path(spare)
        plan = plan_of(args, workspace)
        for size in args.sizes:
            data = prepare(replace(source_of(args), rows=size), workspace / str(size))
            if data.n < size:
                raise SystemExit(f"--sizes asks for {size} rows, the files hold {data.n}")
            for entry, spec in chosen_entries(args):
                rows = book["engines"].setdefault(entry.name, {})
                if rows.get(str(size), {}).get("status") == "ok":
                    continue
                row = measure(entry, spec, data, plan)
                for point in row.get("points", []):
                    del point["per_query"]
                rows[str(size)] = row
                _keep(book, args.output, args.recall)
                print(f"{size}: {entry.name}: {row['status']}", flush=True)
    _keep(book, args.output, args.recall)
    print(scaling_table(book))


def _keep(book: dict[str, Any], path: Path, recall: float) -> None:
    mark_noise(row for sizes in book["engines"].values() for row in sizes.values())
    book["fits"] = fits(book["engines"], recall)
    write_text(path, json.dumps(book, indent=1) + "\n")


def fits(engines: dict[str, dict[str, Row]], recall: float) -> dict[str, Row]:
    """Return, per engine, milliseconds by number of rows and the exponent of time ~ n^e."""
    made = {}
    for name, rows in engines.items():
        times = {
            int(size): time_at(row["points"], recall)
            for size, row in rows.items()
            if row["status"] == "ok"
        }
        reached = {size: time for size, time in sorted(times.items()) if time is not None}
        noisy = [int(size) for size, row in rows.items() if row.get("noisy")]
        made[name] = {
            "recall": recall,
            "ms": reached,
            "noisy": noisy,
            "exponent": exponent(reached),
        }
    return made


def exponent(times: dict[int, float]) -> float | None:
    """Return e of the least-squares line of log time over log n; None for fewer than two sizes."""
    if len(times) < 2:
        return None
    slope, _ = np.polyfit(np.log(list(times)), np.log(list(times.values())), 1)
    return float(slope)


def time_at(points: list[Row], recall: float) -> float | None:
    """Return milliseconds of one query at a recall; None where no point reaches it.

    Of points in the order of their recall, those that a faster point beats are left out.
    """
    front: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: (-point["recall_at_10"], point["p50_ms"])):
        if not front or point["p50_ms"] < front[-1][1]:
            front.append((point["recall_at_10"], point["p50_ms"]))
    if not front or front[0][0] < recall:
        return None
    for (high, slow), (low, fast) in pairwise(front):
        if high >= recall > low:
            share = (recall - low) / (high - low)
            return float(fast * (slow / fast) ** share)
    return front[-1][1]  # even the fastest point finds more than was asked for


def _opened(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"machine": fingerprint(), "engines": {}, "fits": {}}
    book: dict[str, Any] = json.loads(path.read_text())
    return book
