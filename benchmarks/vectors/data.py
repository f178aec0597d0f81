"""The vectors, the queries and the exact answers, laid out once for all engines to map."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from benchmarks.vectors.engine import Floats
from numpy.typing import NDArray

from fewbits.evaluate.exact import exact_neighbours

DEPTH = 10  # neighbours that count as the truth
_SEED = 20_240_229


@dataclass(frozen=True)
class Source:
    """Where vectors and queries come from, as given: files are stacked in their order.

    `held_out` rows are drawn from the vectors, taken out and used as queries where no query file
    is named. `rows` and `queries` cut to the first so many; 0 keeps all.
    """

    vectors: tuple[str, ...]
    query_files: tuple[str, ...] = ()
    held_out: int = 0
    rows: int = 0
    queries: int = 0


@dataclass(frozen=True)
class Prepared:
    """A folder with x.npy, q.npy (float32, unit rows) and truth.npy (nq, 10)."""

    folder: Path
    n: int
    d: int
    queries: int

    @property
    def truth(self) -> NDArray[np.int64]:
        """Row numbers of the exact neighbours, best first."""
        found: NDArray[np.int64] = np.load(self.folder / "truth.npy")
        return found


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `source_of` reads."""
    parser.add_argument("vectors", nargs="+", help=".npy files of vectors (n, d), stacked")
    parser.add_argument("--queries", nargs="+", default=[], metavar="NPY", help="query files")
    parser.add_argument("--held-out", type=int, default=0, metavar="N", help="rows as queries")
    parser.add_argument("--rows", type=int, default=0, help="use the first so many rows")
    parser.add_argument("--max-queries", type=int, default=0, help="use the first so many queries")


def source_of(args: argparse.Namespace) -> Source:
    """Return what the arguments name."""
    if bool(args.queries) == bool(args.held_out):
        raise SystemExit("give either --queries files or --held-out N")
    return Source(
        tuple(args.vectors), tuple(args.queries), args.held_out, args.rows, args.max_queries
    )


def prepare(source: Source, folder: Path) -> Prepared:
    """Write the arrays of a source to a folder, or take what lies there from the same source."""
    note = folder / "source.json"
    text = json.dumps({**asdict(source), "files": _stamps(source)}, sort_keys=True)
    if not note.exists() or note.read_text() != text:
        folder.mkdir(parents=True, exist_ok=True)
        note.unlink(missing_ok=True)
        x, q = _read(source)
        np.save(folder / "x.npy", x)
        np.save(folder / "q.npy", q)
        np.save(folder / "truth.npy", exact_neighbours(x, q, DEPTH))
        note.write_text(text)
    x = np.load(folder / "x.npy", mmap_mode="r")
    n, d = x.shape
    return Prepared(folder, n, d, len(np.load(folder / "q.npy", mmap_mode="r")))


def _stamps(source: Source) -> list[list[int]]:
    stats = [Path(name).stat() for name in (*source.vectors, *source.query_files)]
    return [[stat.st_size, stat.st_mtime_ns] for stat in stats]


def _read(source: Source) -> tuple[Floats, Floats]:
    x = _stacked(source.vectors)
    if source.query_files:
        q = _stacked(source.query_files)
    else:
        rng = np.random.default_rng(_SEED)
        chosen = np.sort(rng.choice(len(x), source.held_out, replace=False))
        q, x = x[chosen], np.delete(x, chosen, axis=0)
    return unit(x[: source.rows or None]), unit(q[: source.queries or None])


def _stacked(names: tuple[str, ...]) -> NDArray[np.floating]:
    return np.concatenate([np.load(name, mmap_mode="r") for name in names])


def unit(x: NDArray[np.floating]) -> Floats:
    """Return float32 rows of unit length."""
    out = np.ascontiguousarray(x, dtype=np.float32)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
    return out
