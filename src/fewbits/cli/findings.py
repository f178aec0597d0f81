"""An evaluation for people: one table, and what it means in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.evaluate.wording import (
    amount,
    highlights,
    judged_sentence,
    missing_target,
    percent,
    share_range,
    signed,
    times,
)

if TYPE_CHECKING:
    from rich.table import Table

    from fewbits.evaluate import Interval, Results, Row

_NONE = "\N{EN DASH}"


def results_table(results: Results) -> Table:
    """Return one line per quantizer, smallest first, and exact float32 search last."""
    from fewbits.cli.views import table

    k, base = results.meta["k"], results.baseline
    rescored = results.meta["rescore"] is not None
    judged = base.ndcg is not None
    heads = ["quantizer", "bytes", "smaller", f"recall@{k} (95 % CI)"]
    heads += ["rescored"] if rescored else []
    heads += [f"nDCG@{k}"] if judged else []
    heads += ["change rescored"] if judged and rescored else []
    heads += ["encode MB/s", "ms/query", "queries/s"]
    rows = [
        _cells(row, rescored=rescored, judged=judged)
        for row in sorted(results.rows, key=lambda row: row.bytes_per_vector)
    ]
    exact = ["exact float32", amount(base.bytes_per_vector), times(1.0), percent(1.0)]
    exact += [percent(1.0)] if rescored else []
    exact += [_mean(base.ndcg)] if judged else []
    rows.append(exact + [_NONE] * (len(heads) - len(exact)))
    return table(heads, rows)


SPEED_NOTE = (
    "Speeds are those of the codes alone: one query on one thread, and all queries in one call."
)


def sentences(results: Results) -> list[str]:
    """Return what was found, in plain words: the rows worth a look, or that there is none."""
    k = results.meta["k"]
    out = [_sentence(reason, row, k) for reason, row in highlights(results)]
    missing = missing_target(results)
    skipped = [f"{name} was left out: {why}" for name, why in results.meta["skipped"].items()]
    return out + ([missing] if missing else []) + skipped


def _cells(row: Row, *, rescored: bool, judged: bool) -> list[str]:
    plain, again = row.plain, row.rescored
    cells = [row.label, amount(row.bytes_per_vector), times(row.ratio)]
    cells.append(f"{percent(plain.recall.mean)} ({share_range(plain.recall)})")
    cells += [percent(again.recall.mean) if again else _NONE] if rescored else []
    cells += [_mean(plain.ndcg)] if judged else []
    if judged and rescored:
        change = again.ndcg_change if again else None
        cells.append(signed(change.mean) if change else _NONE)
    speeds = (row.encode_mb_per_second, plain.ms_per_query, plain.queries_per_second)
    return cells + [amount(value) for value in speeds]


def _sentence(reason: str, row: Row, k: int) -> str:
    text = (
        f"{row.label}, {reason}: {times(row.ratio)} smaller than float32. Its codes alone keep "
        f"{percent(row.plain.recall.mean)} of the {k} nearest neighbours"
    )
    if row.rescored is not None:
        text += (
            "; when the best candidates are scored again from a second copy of "
            f"{amount(row.rescore_bytes_per_vector)} bytes per vector, "
            f"{percent(row.rescored.recall.mean)}"
        )
    return f"{text}. {judged_sentence(row, k)}".strip()


def _mean(interval: Interval | None) -> str:
    return _NONE if interval is None else f"{interval.mean:.3f}"
