"""From the raw figures of every round to what tables show."""

from __future__ import annotations

from statistics import median, quantiles
from typing import Any

BAR = "openvino NNCF INT8"  # ratios are to this engine, the fastest peer
_SPREAD = 0.25  # rounds that differ by more make a figure uncertain


def summarized(book: dict[str, Any]) -> None:
    """Add `peak` to a book and `found` to each of its good rows; drop the single waits."""
    peaks = [each for each in book["peak_gops"] if each]
    book["peak"] = median(peaks) if peaks else None
    good = {name: row for name, row in book["rows"].items() if row["status"] == "ok"}
    bar = [each["ids"]["wall_s"] for each in good[BAR]["rounds"]] if BAR in good else []
    for row in good.values():
        row["found"] = _found(row, book, bar)
        for each in row["rounds"]:
            del each["waits_ids"], each["waits_texts"]
        del row["loads"]


def _found(row: dict[str, Any], book: dict[str, Any], bar: list[float]) -> dict[str, Any]:
    rounds, data = row["rounds"], book["data"]
    walls = [each["ids"]["wall_s"] for each in rounds]
    wall = median(walls)
    gops = data["operations_per_token"] * data["tokens"] / wall / 1e9
    ratios = [mine and theirs / mine for mine, theirs in zip(walls, bar, strict=False)]
    return {
        "texts_per_s": data["passages"] / wall,
        "tokens_per_s": data["tokens"] / wall,
        "texts_per_s_tokenized": data["passages"] / median(r["texts"]["wall_s"] for r in rounds),
        "gops": gops,
        "share": gops / book["peak"] if book["peak"] else None,
        "ratio": median(ratios) if ratios else None,
        "spread": (max(walls) - min(walls)) / wall,
        "noisy": (max(walls) - min(walls)) / wall > _SPREAD,
        **_waits(rounds, "ids"),
        **_waits(rounds, "texts"),
        "load_s": median(each["load_s"] for each in row["loads"]),
        "first_s": median(each["first_s"] for each in row["loads"]),
        "disk_bytes": row["loads"][0]["disk_bytes"],
        "version": row["loads"][0]["version"],
        "resident_bytes": median(each["memory"]["resident_bytes"] for each in rounds),
        "peak_bytes": max(each["memory"]["peak_bytes"] for each in rounds),
    }


def _waits(rounds: list[dict[str, Any]], kind: str) -> dict[str, float]:
    middles = [median(each[f"waits_{kind}"]) for each in rounds]
    highs = [quantiles(each[f"waits_{kind}"], n=20)[-1] for each in rounds]
    return {f"{kind}_p50_ms": 1e3 * median(middles), f"{kind}_p95_ms": 1e3 * median(highs)}
