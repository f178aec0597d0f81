"""Results as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.encoders.summary import BAR

MISSING = "\u2013"
NOISY = "\u00a0~"  # behind a figure whose rounds differ by more than a quarter
_MB = 1e6


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def comparison(book: dict[str, Any]) -> str:
    """Return all tables of one run, one below the other."""
    parts = [machine_text(book), speed_table(book), single_table(book), failures(book)]
    return "\n\n".join(part for part in parts if part)


def good_rows(book: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return names and figures of engines that were measured, slowest first."""
    found = [(name, row["found"]) for name, row in book["rows"].items() if row["status"] == "ok"]
    return sorted(found, key=lambda each: float(each[1]["texts_per_s"]))


def speed_table(book: dict[str, Any]) -> str:
    """Return the throughput of every engine."""
    head = (
        "engine",
        "texts/s",
        "with tokenization",
        "tokens/s",
        "GOP/s",
        "of INT8 peak",
        f"x {BAR}",
    )
    lines = [
        (
            strong(name),
            f"{found['texts_per_s']:,.0f}" + (NOISY if found["noisy"] else ""),
            f"{found['texts_per_s_tokenized']:,.0f}",
            f"{found['tokens_per_s']:,.0f}",
            f"{found['gops']:,.0f}",
            _share(found["share"]),
            MISSING if found["ratio"] is None else f"{found['ratio']:.2f}",
        )
        for name, found in good_rows(book)
    ]
    return table(head, lines) if lines else ""


def single_table(book: dict[str, Any]) -> str:
    """Return the wait for one short text, the start, memory and disk of every engine."""
    head = (
        "engine",
        "p50 ms",
        "p95 ms",
        "p50 from ids",
        "p95 from ids",
        "load s",
        "first vector s",
        "resident MB",
        "peak MB",
        "disk MB",
    )
    rows = sorted(good_rows(book), key=lambda each: -float(each[1]["texts_p50_ms"]))
    lines = [
        (
            strong(name),
            *(f"{found[key]:.2f}" for key in ("texts_p50_ms", "texts_p95_ms")),
            *(f"{found[key]:.2f}" for key in ("ids_p50_ms", "ids_p95_ms")),
            *(f"{found[key]:.2f}" for key in ("load_s", "first_s")),
            *(f"{found[key] / _MB:,.0f}" for key in ("resident_bytes", "peak_bytes")),
            f"{found['disk_bytes'] / _MB:.1f}",
        )
        for name, found in rows
    ]
    return table(head, lines) if lines else ""


def quality_table(book: dict[str, Any]) -> str:
    """Return what every engine keeps of float32."""
    head = (
        "engine",
        "cosine, mean",
        "worst",
        "STS-B",
        "SciFact nDCG@10",
        "alone or in a batch",
    )
    rows = [(name, row) for name, row in book["rows"].items() if row["status"] == "ok"]
    lines = [
        (
            strong(name),
            f"{row['cosine_mean']:.5f}",
            f"{row['cosine_worst']:.4f}",
            f"{100 * row['spearman']:.2f}",
            MISSING if row["ndcg"] is None else f"{row['ndcg']:.4f}",
            "the same bits" if row["difference"] == 0 else f"{row['difference']:.1e}",
        )
        for name, row in sorted(rows, key=lambda each: float(each[1]["cosine_mean"]))
    ]
    return table(head, lines) if lines else ""


def best_table(book: dict[str, Any], quality: dict[str, Any]) -> str:
    """Return the short table: speed, wait, size and what is kept, fastest first."""
    head = ("engine", "texts/s", "one text, ms", "disk MB", "cosine, mean", "worst")
    kept = quality.get("rows", {})
    lines = []
    for name, found in reversed(good_rows(book)):
        row = kept.get(name, {})
        known = row.get("status") == "ok"
        lines.append(
            (
                strong(name),
                f"{found['texts_per_s']:,.0f}" + (NOISY if found["noisy"] else ""),
                f"{found['texts_p50_ms']:.2f}",
                f"{found['disk_bytes'] / _MB:.1f}",
                f"{row['cosine_mean']:.4f}" if known else MISSING,
                f"{row['cosine_worst']:.4f}" if known else MISSING,
            )
        )
    return table(head, lines) if lines else ""


def machine_text(book: dict[str, Any]) -> str:
    """Return where and on what a run was measured, in sentences."""
    machine, data = book["machine"], book["data"]
    good = [row for row in book["rows"].values() if row["status"] == "ok"]
    versions = sorted({f"{row['package']} {row['found']['version']}" for row in good})
    peak = f", INT8 peak {book['peak']:,.0f} GOP/s" if book["peak"] else ""
    noisy = sum(bool(row["found"]["noisy"]) for row in good)
    length = data["tokens"] / data["passages"]
    return (
        f"{data['passages']:,} Wikipedia passages of {length:.0f} tokens on average, "
        f"{data['model']}, {book['threads']} threads, {machine['cpu']}, SIMD "
        f"{machine['simd_level']}{peak}, Python {machine['python']}; {', '.join(versions)}. "
        f"Medians of {book['rounds']} rounds; of {noisy} of {len(good)} engines they differ by "
        "more than a quarter, marked ~."
    )


def failures(book: dict[str, Any]) -> str:
    """Return one line per engine that could not be measured."""
    failed = [(name, row) for name, row in book["rows"].items() if row["status"] != "ok"]
    return "\n".join(f"- {name}: {row['status']}" for name, row in failed)


def strong(name: str) -> str:
    """Return a name with fewbits itself in bold."""
    library, _, rest = name.partition(" ")
    return f"**{library}** {rest}" if library == "fewbits" else name


def _share(share: float | None) -> str:
    return MISSING if share is None else f"{100 * share:.0f} %"
