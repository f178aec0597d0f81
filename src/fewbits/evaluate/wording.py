"""Numbers as people read them, and the findings of an evaluation in plain sentences."""

from __future__ import annotations

import math

from fewbits.evaluate.bootstrap import Interval
from fewbits.evaluate.results import Results, Row

THIN = "\N{NARROW NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
_TIMES = "\N{MULTIPLICATION SIGN}"
_TARGETS = (0.99, 0.95)  # shares of the neighbours that the summary looks for


def percent(share: float) -> str:
    """Return a share as a percentage, rounded down so that only all is 100 %."""
    if share >= 1:
        return f"100{THIN}%"
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f}{THIN}%"


def times(ratio: float) -> str:
    """Return a ratio such as 32× or 3.9×."""
    return f"{ratio:.0f}{_TIMES}" if ratio >= 9.95 else f"{ratio:.1f}{_TIMES}"


def amount(value: float) -> str:
    """Return a count, a size or a speed with about three digits that matter."""
    if value >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}" if value < 1 else f"{value:.2f}"


def signed(value: float) -> str:
    """Return a change with its sign and three decimals."""
    text = f"{abs(value):.3f}"
    if float(text) == 0:
        return text
    return (_MINUS if value < 0 else "+") + text


def share_range(interval: Interval) -> str:
    """Return the bounds of an interval of shares."""
    return f"{percent(interval.low)} to {percent(interval.high)}"


def change_range(interval: Interval) -> str:
    """Return the bounds of an interval of changes."""
    return f"{signed(interval.low)} to {signed(interval.high)}"


def highlights(results: Results) -> list[tuple[str, Row]]:
    """Return the rows a reader should look at first, with the reason, smallest last.

    These are the smallest that keep 99 % and 95 % of the neighbours in the end, and the smallest.
    """
    rows = sorted(results.rows, key=lambda row: (row.bytes_per_vector, -row.final.recall.mean))
    small = [row for row in rows if row.ratio > 1.05]
    chosen: list[tuple[str, Row]] = []
    for target in _TARGETS:
        reach = [row for row in small if row.final.recall.mean >= target]
        if reach and reach[0] not in [row for _, row in chosen]:
            chosen.append((f"smallest that keeps {target:.0%}".replace("%", f"{THIN}%"), reach[0]))
    if small and small[0] not in [row for _, row in chosen]:
        chosen.append(("smallest", small[0]))
    return chosen


def judged_sentence(row: Row, k: int) -> str:
    """Return what happened to nDCG in the end, or "" without judgements."""
    change = row.final.ndcg_change
    if change is None:
        return ""
    after = " after rescoring" if row.rescored is not None else ""
    if signed(change.low) == signed(change.high) == signed(0):
        return f"nDCG@{k}{after} does not change."
    if change.low <= 0 <= change.high:
        return f"Its change in nDCG@{k}{after} is within the noise ({change_range(change)})."
    return f"nDCG@{k}{after} changes by {signed(change.mean)} ({change_range(change)})."


def missing_target(results: Results) -> str | None:
    """Return a sentence when nothing smaller than float32 keeps the lower target, else None."""
    small = [row for row in results.rows if row.ratio > 1.05]
    best = max(small, key=lambda row: row.final.recall.mean, default=None)
    if best is None:
        return "Nothing measured here is smaller than float32."
    if best.final.recall.mean >= _TARGETS[-1]:
        return None
    kept = percent(best.final.recall.mean)
    return (
        f"Nothing smaller than float32 keeps 95{THIN}% here; the best, {best.label}, keeps {kept}."
    )
