"""Measures one engine in a process of its own: `python -m benchmarks.vectors.child JOB.json`."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.vectors.engine import Engine, Entry, Floats, Ids, Setting
from benchmarks.vectors.engines import entries, ours
from benchmarks.vectors.timing import K, Pulse, time_batch, time_singles

DEEP = 40  # candidates of the second recall figure: the exact ten among the first forty


def main() -> None:
    """Read a job, measure, write what came out; an engine that fails says why."""
    job = json.loads(Path(sys.argv[1]).read_text())
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job["cores"])
    try:
        result = {"status": "ok", **measure(job)}
    except Exception as error:
        result = {"status": f"failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    Path(job["result"]).write_text(json.dumps(result))


def chosen(job: dict[str, Any]) -> Entry:
    """Return the entry that a job names, or describes where it is not in a table."""
    return ours.entry(job["spec"]) if job.get("spec") else entries()[job["engine"]]


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Build the engine and measure all of its operating points."""
    entry, folder = chosen(job), Path(job["folder"])
    x: Floats = np.array(np.load(folder / "x.npy", mmap_mode="r"))
    q: Floats = np.load(folder / "q.npy")
    truth = np.load(folder / "truth.npy")
    pulse = Pulse()
    n, d = x.shape
    engine = entry.make(Setting(n, d, job["threads"], job["thorough"]))
    row = _built(engine, x, pulse)
    del x
    row |= _sizes(engine, n)
    row["points"] = []
    for point in entry.points:
        engine.use(point)
        found = _quality(engine, q, truth)
        if job["timed"]:
            budget = job["budget_s"]
            found |= time_singles(engine.search, q, job["rounds"], budget, pulse)
            found |= time_batch(engine.search, q, job["rounds"], budget, pulse)
        scanned = engine.scanned_bytes(point)
        row["points"].append({"settings": point, "scanned_bytes": scanned, **found})
    return {**row, "version": _version(entry.package), "pulse": pulse.summary()}


def _built(engine: Engine, x: Floats, pulse: Pulse) -> dict[str, Any]:
    pulse.beat()
    begin = time.perf_counter()
    engine.fit(x)
    fitted = time.perf_counter()
    engine.add(x)
    done = time.perf_counter()
    pulse.beat()
    return {
        "fit_s": fitted - begin,
        "add_s": done - fitted,
        "add_per_s": len(x) / (done - fitted),
    }


def _sizes(engine: Engine, n: int) -> dict[str, float | None]:
    return {"bytes_per_vector": engine.total_bytes() / n, "code_bytes": engine.code_bytes()}


def _quality(engine: Engine, q: Floats, truth: Ids) -> dict[str, Any]:
    shares = [_shares(engine.search(q, depth), truth) for depth in (K, DEEP)]
    return {
        "recall_at_10": float(np.mean(shares[0])),
        "ten_in_40": float(np.mean(shares[1])),
        "per_query": [round(float(share), 4) for share in shares[0]],
    }


def _shares(found: Ids, truth: Ids) -> list[float]:
    """Return, per query, the share of the exact neighbours that were found."""
    return [
        len(np.intersect1d(ids, exact)) / len(exact)
        for ids, exact in zip(np.asarray(found), truth, strict=True)
    ]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "source tree"


if __name__ == "__main__":
    main()
