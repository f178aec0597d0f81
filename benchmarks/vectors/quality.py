"""`quality`: the recall error of fewbits against the best peer of the same bytes, set by set.

A peer may cost 8 % or 8 bytes per vector more than the fewbits code it is held against, and any
amount less. Bytes are those of one more vector; tables shared by all rows are named apart. The
best peer is chosen on the queries that it is judged by, which favours the peers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.vectors.data import DEPTH, Prepared, Source, prepare
from benchmarks.vectors.engine import Entry
from benchmarks.vectors.engines import ours
from benchmarks.vectors.runner import (
    Plan,
    Row,
    add_plan_arguments,
    chosen_entries,
    measure,
    plan_of,
)
from benchmarks.vectors.tables import quality_table
from numpy.typing import NDArray

from fewbits.evaluate.machine import fingerprint
from fewbits.evaluate.results import write_text

BITS = (0.5, 1, 2, 4, 8)
_MORE_SHARE, _MORE_BYTES = 1.08, 8
_RESAMPLES, _SEED = 2000, 0
_DIGITS = "0123456789a"  # how many of ten neighbours one query found

# What is compared where no --fewbits is given: one code per budget.
OURS: list[Row] = [{"quantizer": "trellis", "bits": bits} for bits in BITS]


def main(arguments: list[str]) -> None:
    """Measure every set and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vectors quality", description=__doc__
    )
    parser.add_argument(
        "--dataset",
        nargs=3,
        action="append",
        required=True,
        metavar=("NAME", "VECTORS", "QUERIES"),
        help="files joined by commas; a number for QUERIES holds out so many rows",
    )
    add_plan_arguments(parser)
    parser.add_argument("--rows", type=int, default=0, help="use the first so many rows")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON; resumed if there")
    args = parser.parse_args(arguments)
    book = _opened(args.output)
    with tempfile.TemporaryDirectory() as spare:
        workspace = args.workspace or Path(spare)
        plan = plan_of(args, workspace, thorough=True, timed=False)
        for name, vectors, queries in args.dataset:
            data = prepare(_source(vectors, queries, args.rows), workspace / name)
            _measure_set(book, args.output, name, data, _entries(args), plan)
    print(quality_table(book))


def _entries(args: argparse.Namespace) -> list[tuple[Entry, Row | None]]:
    """Return the chosen flat peers, and fewbits as given or as in OURS."""
    chosen = [pair for pair in chosen_entries(args) if pair[0].kind == "flat"]
    peers = [pair for pair in chosen if pair[0].package != "fewbits"]
    given = [pair for pair in chosen if pair[1] is not None]
    return (given or [(ours.entry(spec), spec) for spec in OURS]) + peers


def _source(vectors: str, queries: str, rows: int) -> Source:
    files = tuple(vectors.split(","))
    if queries.isdigit():
        return Source(files, held_out=int(queries), rows=rows)
    return Source(files, tuple(queries.split(",")), rows=rows)


def _measure_set(
    book: dict[str, Any],
    path: Path,
    name: str,
    data: Prepared,
    chosen: Iterable[tuple[Entry, Row | None]],
    plan: Plan,
) -> None:
    about = {"n": data.n, "d": data.d, "queries": data.queries}
    held = book["sets"].setdefault(name, {**about, "rows": {}})
    if {key: held[key] for key in about} != about:
        raise SystemExit(f"{path} holds another set named {name!r}; choose another name")
    for entry, spec in chosen:
        if held["rows"].get(entry.name, {}).get("status") == "ok":
            continue
        row = measure(entry, spec, data, plan)
        for point in row.get("points", []):
            shares = point.pop("per_query")
            point["found"] = "".join(_DIGITS[round(share * DEPTH)] for share in shares)
        held["rows"][entry.name] = row
        held["pairs"] = pairs(held["rows"].values(), data.d)
        write_text(path, json.dumps(book, indent=1) + "\n")
        print(f"{name}: {entry.name}: {row['status']}", flush=True)


def pairs(rows: Iterable[Row], d: int) -> list[Row]:
    """Return one comparison per fewbits row: its best peer, both errors and their ratio."""
    good = [row for row in rows if row["status"] == "ok" and row["code_bytes"] is not None]
    peers = [row for row in good if row["package"] != "fewbits"]
    made = []
    for own in good:
        if own["package"] != "fewbits":
            continue
        most = max(own["code_bytes"] * _MORE_SHARE, own["code_bytes"] + _MORE_BYTES)
        rivals = [row for row in peers if row["code_bytes"] <= most]
        if rivals:
            made.append(_pair(own, max(rivals, key=lambda row: _best(row)["recall_at_10"]), d))
    return sorted(made, key=lambda pair: float(pair["bytes"]))


def _pair(own: Row, peer: Row, d: int) -> Row:
    mine, theirs = _errors(_best(own)["found"]), _errors(_best(peer)["found"])
    low, high = ratio_interval(mine, theirs)
    return {
        "engine": own["engine"],
        "bits": own["code_bytes"] * 8 / d,
        "bytes": own["code_bytes"],
        "shared_bytes": own["bytes_per_vector"] - own["code_bytes"],
        "recall": 1 - float(mine.mean()),
        "ten_in_40": _best(own)["ten_in_40"],
        "peer": peer["engine"],
        "peer_bytes": peer["code_bytes"],
        "peer_shared_bytes": peer["bytes_per_vector"] - peer["code_bytes"],
        "peer_recall": 1 - float(theirs.mean()),
        "peer_ten_in_40": _best(peer)["ten_in_40"],
        "ratio": _ratio(float(mine.mean()), float(theirs.mean())),
        "low": low,
        "high": high,
    }


def _best(row: Row) -> Row:
    found: Row = max(row["points"], key=lambda point: float(point["recall_at_10"]))
    return found


def _errors(found: str) -> NDArray[np.float64]:
    return 1 - np.array([_DIGITS.index(digit) for digit in found], dtype=np.float64) / DEPTH


def _ratio(mine: float, theirs: float) -> float | None:
    """Return mine / theirs; None where the peer makes no error."""
    return mine / theirs if theirs > 0 else None


def ratio_interval(
    mine: NDArray[np.float64], theirs: NDArray[np.float64]
) -> tuple[float | None, float | None]:
    """Return 95 % percentile bounds of mean(mine) / mean(theirs), queries drawn in pairs."""
    rng = np.random.default_rng(_SEED)
    ratios = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(0, len(mine), len(mine))
        ratio = _ratio(float(mine[drawn].mean()), float(theirs[drawn].mean()))
        if ratio is None:
            return None, None  # a peer that makes next to no error: the ratio says nothing
        ratios.append(ratio)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def _opened(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"machine": fingerprint(), "sets": {}}
    book: dict[str, Any] = json.loads(path.read_text())
    return book
