"""`quality`: what every engine keeps of float32; resumed, one engine after the other.

Vectors of sentence-transformers in float32 are what all others are compared with. Figures do not
change from run to run, so what is in the JSON is not measured again without --again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.encoders.compare import Field, add_field_arguments, chosen_entries
from benchmarks.encoders.engine import Entry, Floats
from benchmarks.encoders.engines import entries
from benchmarks.encoders.gather import compared
from benchmarks.encoders.process import EngineFailure, Process
from benchmarks.encoders.tables import failures, quality_table

from fewbits.evaluate.correlation import spearman
from fewbits.evaluate.datasets import Dataset, read_dataset
from fewbits.evaluate.exact import exact_neighbours
from fewbits.evaluate.machine import fingerprint
from fewbits.evaluate.metrics import ndcg_at
from fewbits.evaluate.pairs import Pairs, read_pairs
from fewbits.evaluate.results import write_text

TRUTH = "sentence-transformers float32"
_ALONE = 64  # passages of the invariance, besides all short texts


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.encoders quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_field_arguments(parser)
    parser.add_argument("--compared", type=int, default=2000, help="texts of the cosines")
    parser.add_argument("--no-retrieval", action="store_true", help="leave SciFact out")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON; resumed if there")
    parser.add_argument("--again", action="store_true", help="measure what is in the JSON anew")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as spare:
        field = Field(args, args.workspace or Path(spare))
        sets = Sets(args.data, args.compared, retrieval=not args.no_retrieval)
        examiner = Examiner(field, sets)
        book = _opened(args.output, field, sets)
        for entry in chosen_entries(args):
            if book["rows"].get(entry.name, {}).get("status") != "ok" or args.again:
                book["rows"][entry.name] = examiner.row(entry)
                write_text(args.output, json.dumps(book, indent=1) + "\n")
                print(f"{entry.name}: {book['rows'][entry.name]['status']}", flush=True)
    print("\n\n".join(part for part in (quality_table(book), failures(book)) if part))


class Sets:
    """The texts that quality is measured on."""

    def __init__(self, data: Path, count: int, *, retrieval: bool) -> None:
        self.texts = compared(data, count)
        self.pairs: Pairs = read_pairs(data / "stsb-en")
        self.retrieval: Dataset | None = read_dataset(data / "scifact") if retrieval else None

    def lists(self) -> dict[str, list[str]]:
        """Return all lists of texts to encode, by name."""
        found = {"texts": self.texts, "left": self.pairs.left, "right": self.pairs.right}
        if self.retrieval is not None:
            found |= {"docs": self.retrieval.docs, "queries": self.retrieval.queries}
        return found

    def described(self) -> dict[str, int]:
        """Return how many texts each list has."""
        return {name: len(texts) for name, texts in self.lists().items()}


class Examiner:
    """Encodes all sets by an engine and compares with the truth."""

    def __init__(self, field: Field, sets: Sets) -> None:
        self._field = field
        self._sets = sets
        self._truth: Floats | None = None

    def row(self, entry: Entry) -> dict[str, Any]:
        """Return the figures of an engine, or why there are none."""
        base = {"package": entry.package, "kind": entry.kind}
        try:
            vectors, difference = self._encoded(entry, list(self._sets.lists()))
            if self._truth is None:
                self._truth = self._true_vectors()
        except EngineFailure as failure:
            return {**base, "status": f"failed: {failure}"}
        cosines = row_cosines(self._truth, vectors["texts"])
        return {
            **base,
            "status": "ok",
            "cosine_mean": float(cosines.mean()),
            "cosine_worst": float(cosines.min()),
            "difference": difference,
            "spearman": self._spearman(vectors),
            "ndcg": self._ndcg(vectors),
        }

    def _true_vectors(self) -> Floats:
        return self._encoded(entries()[TRUTH], ["texts"])[0]["texts"]

    def _encoded(self, entry: Entry, wanted: list[str]) -> tuple[dict[str, Floats], float]:
        self._field.build(entry)
        choice = self._field.tuned(entry)["choice"]
        with (
            tempfile.TemporaryDirectory() as folder,
            self._field.process(entry, choice) as process,
        ):
            process.ask("load")
            difference = process.ask("invariance", count=_ALONE)["largest_difference"]
            lists = self._sets.lists()
            made = {name: _vectors(process, lists[name], Path(folder)) for name in wanted}
        return made, difference

    def _spearman(self, vectors: dict[str, Floats]) -> float:
        return spearman(row_cosines(vectors["left"], vectors["right"]), self._sets.pairs.scores)

    def _ndcg(self, vectors: dict[str, Floats]) -> float | None:
        data = self._sets.retrieval
        if data is None:
            return None
        found = exact_neighbours(vectors["docs"], vectors["queries"], 10)
        rankings = {
            query: [data.doc_ids[row] for row in rows]
            for query, rows in zip(data.query_ids, found.tolist(), strict=True)
        }
        return float(np.mean(list(ndcg_at(rankings, data.qrels, 10).values())))


def row_cosines(x: Floats, y: Floats) -> np.ndarray:
    """Return the cosine of each row of x with that of y, float64 (n,)."""
    left, right = x.astype(np.float64), y.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines: np.ndarray = np.einsum("ij,ij->i", left, right) / lengths
    return cosines


def _vectors(process: Process, texts: list[str], folder: Path) -> Floats:
    given, made = folder / "texts.json", folder / "vectors.npy"
    given.write_text(json.dumps(texts))
    process.ask("vectors", texts=str(given), output=str(made))
    found: Floats = np.load(made)
    return found


def _opened(path: Path, field: Field, sets: Sets) -> dict[str, Any]:
    """Return the book in a file, or a new one; other texts or another model are refused."""
    data = {"model": field.described()["model"], **sets.described()}
    if not path.exists():
        return {"machine": fingerprint(), "data": data, "rows": {}}
    book: dict[str, Any] = json.loads(path.read_text())
    if book["data"] != data:
        raise SystemExit(f"{path} holds other data: {book['data']}; choose another output")
    return book
