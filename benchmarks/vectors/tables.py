"""Results as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.vectors.runner import Row

MISSING = "\u2013"
TARGETS = (0.8, 0.9, 0.95, 0.99)
NOISY = "\u00a0~"  # behind a time that was measured while the machine was busy or uneven


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def comparison(book: dict[str, Any]) -> str:
    """Return all tables of one run, one below the other."""
    parts = [flat_table(book), reach_table(book), failures(book)]
    return "\n\n".join(part for part in parts if part)


def good_rows(book: dict[str, Any], *kinds: str) -> list[Row]:
    """Return rows that were measured, of these kinds, smallest first."""
    rows = [row for row in book["rows"].values() if row["status"] == "ok" and row["kind"] in kinds]
    return sorted(rows, key=lambda row: float(row["bytes_per_vector"]))


def flat_table(book: dict[str, Any]) -> str:
    """Return engines that scan every code, one line per operating point."""
    head = (
        "engine",
        "bytes",
        "scanned",
        "recall@10",
        "10@40",
        "p50 ms",
        "p95 ms",
        "batch q/s",
        "fit s",
        "encode k/s",
    )
    lines = []
    for row in good_rows(book, "flat"):
        for point in row["points"]:
            lines.append((_name(row, point), *_bytes(row, point), *_figures(row, point)))
    return table(head, lines) if lines else ""


def reach_table(book: dict[str, Any]) -> str:
    """Return lists and graphs: queries per second, one at a time, at the recall reached."""
    head = ("engine", "bytes", *(f"q/s at {target:g}" for target in TARGETS), "best recall")
    lines = []
    for row in good_rows(book, "lists", "graph"):
        best = max(point["recall_at_10"] for point in row["points"])
        reached = [fastest(row, target) for target in TARGETS]
        lines.append(
            (
                _strong(row["engine"]),
                f"{row['bytes_per_vector']:.0f}",
                *(f"{rate:,.0f}" if rate else MISSING for rate in reached),
                f"{best:.3f}",
            )
        )
    return table(head, lines) if lines else ""


def best_table(book: dict[str, Any]) -> str:
    """Return every fewbits index that scans all codes beside the best peer that is no larger.

    A peer may take 8 % or 8 bytes per vector more. With no fewbits row there is no table.
    """
    head = ("index", "bytes", "recall@10", "p50 ms", "best peer", "bytes", "recall@10", "p50 ms")
    rows = good_rows(book, "flat")
    lines = []
    for row in (row for row in rows if row["package"] == "fewbits"):
        most = max(row["bytes_per_vector"] * 1.08, row["bytes_per_vector"] + 8)
        rivals = [
            peer
            for peer in rows
            if peer["package"] != "fewbits" and peer["bytes_per_vector"] <= most
        ]
        if rivals:
            peer = max(rivals, key=lambda rival: float(best_point(rival)["recall_at_10"]))
            lines.append((_strong(row["engine"]), *_brief(row), peer["engine"], *_brief(peer)))
    return table(head, lines) if lines else ""


def best_point(row: Row) -> Row:
    """Return the operating point that finds the most."""
    found: Row = max(row["points"], key=lambda point: float(point["recall_at_10"]))
    return found


def _brief(row: Row) -> tuple[str, str, str]:
    point = best_point(row)
    time = f"{point['p50_ms']:.2f}" + (NOISY if point.get("noisy") else "")
    return f"{row['bytes_per_vector']:.0f}", f"{point['recall_at_10']:.3f}", time


def machine_text(book: dict[str, Any]) -> str:
    """Return where and on what a run was measured, in sentences."""
    machine, data = book["machine"], book["data"]
    good = [row for row in book["rows"].values() if row["status"] == "ok"]
    versions = sorted({f"{row['package']} {row['version']}" for row in good})
    noisy = sum(bool(row["noisy"]) for row in good)
    threads = "one thread" if book["threads"] == 1 else f"{book['threads']} threads"
    return (
        f"{data['n']:,} vectors of {data['d']} dimensions, {data['queries']:,} queries, {threads}, "
        f"{machine['cpu']}, SIMD {machine['simd_level']}, Python {machine['python']}; "
        f"{', '.join(versions)}. Medians of {book['rounds']} rounds. Beside {noisy} of {len(good)} "
        "engines the machine was busier than usual; their times carry a ~."
    )


def quality_table(book: dict[str, Any]) -> str:
    """Return fewbits against the best peer of the same bytes, one line per set and budget."""
    head = (
        "set",
        "bits",
        "fewbits bytes",
        "recall@10",
        "best peer",
        "its bytes",
        "recall@10",
        "error ratio (95 %)",
    )
    lines = [
        (f"{name} ({held['n']:,} x {held['d']})", *_pair_cells(pair))
        for name, held in book["sets"].items()
        for pair in held.get("pairs", [])
    ]
    return table(head, lines) if lines else ""


def _pair_cells(pair: Row) -> tuple[str, ...]:
    more = pair["peer_bytes"] - pair["bytes"]
    ratio = MISSING if pair["ratio"] is None else f"{pair['ratio']:.2f}"
    if pair["low"] is not None:
        ratio += f" ({pair['low']:.2f} to {pair['high']:.2f})"
    return (
        f"{pair['bits']:.2f}",
        f"{pair['bytes']:g}",
        f"{pair['recall']:.3f}",
        pair["peer"],
        f"{pair['peer_bytes']:g} ({more:+g})",
        f"{pair['peer_recall']:.3f}",
        ratio,
    )


def scaling_table(book: dict[str, Any]) -> str:
    """Return milliseconds of one query by number of rows, and the exponent of the growth."""
    fits = {name: fit for name, fit in book["fits"].items() if fit["ms"]}
    sizes = sorted({int(size) for fit in fits.values() for size in fit["ms"]})
    head = ("engine", "recall@10", *(f"{size:,} rows, ms" for size in sizes), "time ~ n^e, e")
    lines = []
    for name, fit in fits.items():
        times = {int(size): value for size, value in fit["ms"].items()}
        marks = {size: NOISY for size in fit["noisy"]}
        cells = [
            f"{times[size]:.3f}{marks.get(size, '')}" if size in times else MISSING
            for size in sizes
        ]
        grown = MISSING if fit["exponent"] is None else f"{fit['exponent']:.2f}"
        lines.append((_strong(name), f"{fit['recall']:g}", *cells, grown))
    return table(head, lines) if lines else ""


def fastest(row: Row, recall: float) -> float | None:
    """Return the most single queries per second among points that reach a recall."""
    rates = [1e3 / point["p50_ms"] for point in row["points"] if point["recall_at_10"] >= recall]
    return max(rates, default=None)


def failures(book: dict[str, Any]) -> str:
    """Return one line per engine that could not be measured."""
    failed = [row for row in book["rows"].values() if row["status"] != "ok"]
    return "\n".join(f"- {row['engine']}: {row['status']}" for row in failed)


def settings_text(point: dict[str, Any]) -> str:
    """Return the settings of an operating point as words."""
    return ", ".join(f"{key}={value}" for key, value in point["settings"].items())


def _name(row: Row, point: dict[str, Any]) -> str:
    words = settings_text(point)
    return _strong(row["engine"]) + (f", {words}" if words else "")


def _strong(name: str) -> str:
    library, _, rest = name.partition(" ")
    return f"**{library}** {rest}" if library == "fewbits" else name


def _bytes(row: Row, point: dict[str, Any]) -> tuple[str, str]:
    scanned = point["scanned_bytes"]
    return f"{row['bytes_per_vector']:.0f}", MISSING if scanned is None else f"{scanned:.0f}"


def _figures(row: Row, point: dict[str, Any]) -> tuple[str, ...]:
    mark = NOISY if point.get("noisy") else ""
    return (
        f"{point['recall_at_10']:.3f}",
        f"{point['ten_in_40']:.3f}",
        f"{point['p50_ms']:.2f}{mark}",
        f"{point['p95_ms']:.2f}",
        f"{point['batch_qps']:,.0f}{mark}",
        f"{row['fit_s']:.1f}",
        f"{row['add_per_s'] / 1e3:,.0f}",
    )
