"""One self-contained HTML page about one evaluation: no script, no network, no external address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from fewbits.errors import InputError
from fewbits.evaluate.charts import recall_chart
from fewbits.evaluate.losses import losses
from fewbits.evaluate.markup import document, element
from fewbits.evaluate.results import Results, Row, write_text
from fewbits.evaluate.stylesheet import STYLE
from fewbits.evaluate.tables import quality_table, speed_table
from fewbits.evaluate.wording import (
    amount,
    highlights,
    judged_sentence,
    missing_target,
    percent,
    times,
)

# Holds even if a text slipped through unescaped: nothing may be loaded and nothing may run.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_KEPT_NOTE = "Smallest first. Small figures: 95 % confidence interval over the queries."
_SPEED_NOTE = "Encode and one query: one thread, median. MB/s counts the float32 input."


def write_report(
    results: Results,
    path: str | Path,
    *,
    title: str | None = None,
    queries: Mapping[str, str] | None = None,
    docs: Mapping[str, str] | None = None,
) -> None:
    """Write the report of an evaluation as one HTML file, in one step.

    Args:
        results: what `evaluate` returned, with at least one row.
        path: the file to write; an existing one is replaced.
        title: the heading; None takes the name of the evaluation.
        queries: query id -> text, shown with the queries that lost most.
        docs: document id -> text, of which the first words are shown there.

    Raises:
        InputError: the results hold no row.
        StorageError: the file could not be written; what was there before is unchanged.
    """
    write_text(path, report_html(results, title=title, queries=queries, docs=docs))


def report_html(
    results: Results,
    *,
    title: str | None = None,
    queries: Mapping[str, str] | None = None,
    docs: Mapping[str, str] | None = None,
) -> str:
    """Return the page that `write_report` writes."""
    if not results.rows:
        raise InputError("results must hold at least one row; every quantizer was skipped")
    name = title if title is not None else str(results.meta["name"])
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", f"{name} \N{MIDDLE DOT} fewbits report"),
        element("style", STYLE),
    ]
    body = [
        *_opening(results, name),
        element("h2", "Size against quality"),
        _figure(results),
        element("h2", "What is kept"),
        element("p", _KEPT_NOTE, class_="soft"),
        quality_table(results),
        element("h2", "Speed on this machine"),
        element("p", _SPEED_NOTE, class_="soft"),
        speed_table(results),
        element("h2", "Queries that lost most"),
        *losses(results, queries or {}, docs or {}),
        element("h2", "How this was measured"),
        *_method(results),
    ]
    return document(head, [element("main", *body)])


def _opening(results: Results, name: str) -> list[Element]:
    meta = results.meta
    facts = (
        f"{meta['n']:,} vectors of {meta['d']} dimensions, {meta['queries']:,} queries, "
        f"{meta['metric']} similarity, {meta['k']} neighbours each"
    ).replace("l2 similarity", "l2 distance")
    parts = [
        element("p", "fewbits report", class_="kicker"),
        element("h1", name),
        element("p", f"{facts}.", class_="soft"),
    ]
    missing = missing_target(results)
    cards = [_card(reason, row, results) for reason, row in highlights(results)]
    if cards:
        parts.append(element("ul", *cards, class_="cards"))
    if missing:
        parts.append(element("p", missing))
    return parts


def _card(reason: str, row: Row, results: Results) -> Element:
    k = results.meta["k"]
    kept = f"keeps {percent(row.plain.recall.mean)} of the {k} nearest neighbours"
    if row.rescored is not None:
        kept += (
            f"; with rescoring from a second copy of {amount(row.rescore_bytes_per_vector)} bytes "
            f"per vector, {percent(row.rescored.recall.mean)}"
        )
    judged = judged_sentence(row, k)
    return element(
        "li",
        element("div", reason, class_="kicker"),
        element("div", times(row.ratio), element("small", " smaller"), class_="big"),
        element("p", element("span", row.label, class_="who"), f" {kept}."),
        element("p", judged, class_="soft") if judged else None,
    )


def _figure(results: Results) -> Element:
    meta = results.meta
    wide = recall_chart(results, width=940, height=520, key="wide")
    narrow = recall_chart(results, width=360, height=430, key="narrow")
    wide.set("class", "wide")
    narrow.set("class", "narrow")
    legend = [_key("plain", "codes alone")]
    caption = (
        f"Share of the {meta['k']} exact float32 neighbours that are found; bars: 95 % interval."
    )
    again = next((row for row in results.rows if row.rescored), None)
    if again is not None:
        legend.append(_key("rescored", f"rescored from {meta['rescore']}"))
        caption += (
            f" Rescoring re-ranks {meta['oversample']} candidates per neighbour from a second copy "
            f"of {amount(again.rescore_bytes_per_vector)} bytes per vector, which is read for the "
            "candidates only and is not counted on the axis."
        )
    return element(
        "figure",
        element("ul", *legend, class_="legend"),
        wide,
        narrow,
        element("figcaption", caption),
    )


def _key(kind: str, words: str) -> Element:
    shape = (
        element("circle", cx="7", cy="7", r="4.5", class_="mark plain")
        if kind == "plain"
        else element("path", d="M7 1.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z", class_="mark rescored")
    )
    return element("li", element("svg", shape, viewBox="0 0 14 14", aria_hidden="true"), words)


def _method(results: Results) -> list[Element]:
    meta = results.meta
    machine = meta["machine"]
    words = (
        f"Recall@{meta['k']} is the share of the exact float32 neighbours among the hits; ties go "
        "to the lowest row. "
    )
    if results.baseline.ndcg is not None:
        words += "nDCG has linear gain, as in trec_eval, over judged queries. "
    words += "Intervals are 95 % percentile bootstrap over queries; changes are paired by query."
    parts = [element("p", words)]
    for label, reason in meta["skipped"].items():
        parts.append(element("p", f"Left out: {label}, because {reason}"))
    facts = {
        "Judged queries": f"{meta['judged_queries']:,}",
        "Fitted on": f"{meta['calibration_rows']:,} vectors",
        "Batch threads": "all cores" if meta["threads"] is None else str(meta["threads"]),
        "Seed": str(meta["seed"]),
        "Processor": f"{machine['cpu']}, {machine['cores']} cores, SIMD {machine['simd_level']}",
        "Versions": (
            f"fewbits {machine['fewbits']}, Python {machine['python']}, NumPy {machine['numpy']}, "
            f"{machine['system']}"
        ),
        "Measured": str(meta["created"]),
    }
    rows = [
        part for key, text in facts.items() for part in (element("dt", key), element("dd", text))
    ]
    return [*parts, element("dl", *rows)]
