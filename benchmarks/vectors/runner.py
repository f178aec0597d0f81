"""Starts a process per engine, keeps what each found, and goes on where an earlier run ended."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.vectors.data import Prepared
from benchmarks.vectors.engine import Entry
from benchmarks.vectors.engines import entries, ours

Row: TypeAlias = dict[str, Any]

_POOLS = ("OMP", "MKL", "OPENBLAS", "RAYON", "NUMEXPR", "VECLIB", "TBB", "BLIS", "FAISS_OMP")


@dataclass(frozen=True)
class Plan:
    """How every engine of a run is measured."""

    threads: int = 1
    rounds: int = 5
    budget_s: float = 4.0
    timeout_s: float = 1800.0
    thorough: bool = False
    timed: bool = True
    pythons: tuple[tuple[str, str], ...] = ()
    logs: Path | None = None

    def python_for(self, name: str) -> str:
        """Return the interpreter of an engine: the first pattern that fits, or this one."""
        for pattern, path in self.pythons:
            if re.search(pattern, name):
                return path
        return sys.executable


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `plan_of` and `chosen_entries` read."""
    parser.add_argument("--engines", nargs="+", metavar="NAME", help="these engines, by name")
    parser.add_argument("--only", metavar="REGEX", help="engines whose name contains this")
    parser.add_argument("--without", metavar="REGEX", help="no engine whose name contains this")
    parser.add_argument("--slow", action="store_true", help="engines that take minutes too")
    parser.add_argument(
        "--fewbits", action="append", default=[], metavar="JSON", help="one more fewbits index"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=4.0, help="seconds per point and kind")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds per engine")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="REGEX=PATH",
        help="engines that need an environment of their own",
    )
    parser.add_argument("--workspace", type=Path, help="keeps arrays and logs between runs")


def plan_of(
    args: argparse.Namespace, workspace: Path, *, thorough: bool = False, timed: bool = True
) -> Plan:
    """Return the plan that the arguments describe."""
    pythons = [(each.partition("=")[0], each.partition("=")[2]) for each in args.python]
    return Plan(
        threads=args.threads,
        rounds=args.rounds,
        budget_s=args.budget,
        timeout_s=args.timeout,
        thorough=thorough,
        timed=timed,
        pythons=tuple(pythons),
        logs=workspace / "logs",
    )


def chosen_entries(args: argparse.Namespace) -> list[tuple[Entry, Row | None]]:
    """Return the engines that the arguments choose, each with its JSON if it came as such."""
    table = entries()
    names: Iterable[str] = [name for name, entry in table.items() if args.slow or not entry.slow]
    if args.engines:
        unknown = [name for name in args.engines if name not in table]
        if unknown:
            raise SystemExit(f"no engine is named {unknown[0]!r}; there are: {', '.join(table)}")
        names = args.engines
    if args.only:
        names = [name for name in names if re.search(args.only, name)]
    if args.without:
        names = [name for name in names if not re.search(args.without, name)]
    listed: list[tuple[Entry, Row | None]] = [(table[name], None) for name in names]
    specs = [json.loads(text) for text in args.fewbits]
    return listed + [(ours.entry(spec), spec) for spec in specs]


def measure(entry: Entry, spec: Row | None, data: Prepared, plan: Plan) -> Row:
    """Return what a child process found about one engine, or why it found nothing."""
    base = {"engine": entry.name, "package": entry.package, "kind": entry.kind}
    with tempfile.TemporaryDirectory() as folder:
        job: Row = {
            "engine": entry.name,
            "spec": spec,
            "folder": str(data.folder),
            "threads": plan.threads,
            "cores": _cores(plan.threads),
            "rounds": plan.rounds,
            "budget_s": plan.budget_s,
            "thorough": plan.thorough,
            "timed": plan.timed,
            "result": str(Path(folder) / "result.json"),
        }
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job))
        log = _log_path(plan, entry.name)
        failure = _run(
            [plan.python_for(entry.name), "-m", f"{__package__}.child", str(path)], plan, log
        )
        if failure:
            return {**base, "status": f"failed: {failure}"}
        return {**base, **json.loads(Path(job["result"]).read_text())}


def _run(command: Sequence[str], plan: Plan, log: Path) -> str:
    """Run a child with its threads bound; return why it failed, or an empty string."""
    count = str(plan.threads)
    environment = os.environ | {f"{pool}_NUM_THREADS": count for pool in _POOLS}
    with log.open("w") as errors:
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdout=errors,
                stderr=errors,
                timeout=plan.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {plan.timeout_s:.0f} s"
        except OSError as error:
            return str(error)
    if done.returncode == 0:
        return ""
    lines = log.read_text(errors="replace").strip().splitlines()
    return f"exit code {done.returncode}: {lines[-1][:300] if lines else 'nothing was printed'}"


def _cores(threads: int) -> list[int]:
    """Return the last cores that this process may use: the first ones serve the system more."""
    if not hasattr(os, "sched_getaffinity"):
        return list(range(threads))
    usable = sorted(os.sched_getaffinity(0))
    if threads > len(usable):
        raise SystemExit(f"--threads {threads} needs as many cores, there are {len(usable)}")
    return usable[-threads:]


def _log_path(plan: Plan, name: str) -> Path:
    folder = plan.logs or Path(tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (re.sub(r"[^A-Za-z0-9.=-]+", "-", name) + ".log")
