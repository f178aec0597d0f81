"""What an evaluation measured, as plain data: `Results` -> dict -> JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fewbits.evaluate.bootstrap import Interval
from fewbits.storage.atomic import sync_folder, write_file


@dataclass(frozen=True)
class Found:
    """What one way of searching found, and how fast.

    `recall` is the share of the k exact float32 neighbours; `ndcg` and `ndcg_change` (this minus
    float32, paired by query) exist where judgements do. `ms_per_query` is the median of single
    queries on one thread, `queries_per_second` the rate of one call with all queries.
    """

    recall: Interval
    ndcg: Interval | None
    ndcg_change: Interval | None
    ms_per_query: float
    queries_per_second: float


@dataclass(frozen=True)
class Lost:
    """One query that lost neighbours: ids best first, by float32 and by the quantized index."""

    query: str
    recall: float
    ndcg: float | None
    ndcg_exact: float | None
    exact: list[str]
    found: list[str]


@dataclass(frozen=True)
class Row:
    """One quantizer. `rescored` is None where no rescoring was asked for.

    `bytes_per_vector` counts what a scan needs, `rescore_bytes_per_vector` the second copy that is
    read for candidates only; `ratio` is float32 bytes / `bytes_per_vector`. Encode speed is in
    vectors/s and in MB/s of float32 input. `worst` lists queries by what the last stage lost.
    """

    label: str
    name: str
    params: dict[str, str | int | float | bool | None]
    bytes_per_vector: float
    rescore_bytes_per_vector: float
    ratio: float
    encode_vectors_per_second: float
    encode_mb_per_second: float
    plain: Found
    rescored: Found | None
    worst: list[Lost]

    @property
    def final(self) -> Found:
        """What a user of this configuration gets: rescored where there is rescoring."""
        return self.rescored or self.plain


@dataclass(frozen=True)
class Baseline:
    """Exact float32 search: bytes per vector and, where judgements exist, its nDCG."""

    bytes_per_vector: float
    ndcg: Interval | None


@dataclass(frozen=True)
class Results:
    """All rows in the order given, the float32 baseline, and how it was measured.

    `meta` holds name, n, d, queries, judged_queries, metric, k, rescore, oversample, seed,
    threads, calibration_rows, skipped (quantizers that could not run, with the reason), created
    (UTC) and machine.
    """

    rows: list[Row]
    baseline: Baseline
    meta: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts, lists, strings and finite numbers."""
        return asdict(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the results as JSON text (sorted keys, no NaN); write it to `path` if given."""
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Results:
        """Return the results that `to_dict` wrote."""
        rows = [
            Row(
                **{
                    **row,
                    "plain": _found(row["plain"]),
                    "rescored": _found(row["rescored"]),
                    "worst": [Lost(**lost) for lost in row["worst"]],
                }
            )
            for row in data["rows"]
        ]
        base = data["baseline"]
        baseline = Baseline(base["bytes_per_vector"], _interval(base["ndcg"]))
        return Results(rows, baseline, dict(data["meta"]))


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file in one step: the old file or the whole new one, never a part.

    Raises:
        StorageError: the operating system refused; what was there before is unchanged.
    """
    target = Path(path)
    write_file(target, [text.encode("utf-8")])
    sync_folder(target.parent)


def _found(data: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - Found | None by the key
    if data is None:
        return None
    intervals = {key: _interval(data[key]) for key in ("recall", "ndcg", "ndcg_change")}
    return Found(**{**data, **intervals})


def _interval(data: Mapping[str, float] | None) -> Interval | None:
    return None if data is None else Interval(**data)
