"""The queries that lost most, with what float32 found beside what the quantized index found."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from fewbits.evaluate.markup import element
from fewbits.evaluate.results import Lost, Results, Row
from fewbits.evaluate.wording import percent

_SHOWN = 110  # characters of a document shown beside its id

Texts = Mapping[str, str]


def losses(results: Results, queries: Texts, docs: Texts) -> list[Element]:
    """Return one folded block per quantizer that lost something, the greatest loss first."""
    rows = [row for row in results.rows if row.worst]
    rows.sort(key=lambda row: row.final.recall.mean)
    if not rows:
        return [element("p", "No query lost a neighbour.")]
    blocks = [_block(row, results, queries, docs) for row in rows]
    whole = [row.label for row in results.rows if not row.worst]
    if whole:
        blocks.append(element("p", f"No query lost a neighbour with {', '.join(whole)}."))
    return blocks


def _block(row: Row, results: Results, queries: Texts, docs: Texts) -> Element:
    stage = "after rescoring" if row.rescored else "without rescoring"
    count = len(row.worst)
    words = f" \N{MIDDLE DOT} worst {count} queries {stage}" if count > 1 else f" {stage}"
    return element(
        "details",
        element("summary", row.label, element("span", words)),
        *(_query(lost, results.meta["k"], queries, docs) for lost in row.worst),
    )


def _query(lost: Lost, k: int, queries: Texts, docs: Texts) -> Element:
    text = queries.get(lost.query)
    title = f"{lost.query}: {text}" if text else f"Query {lost.query}"
    kept = f"Keeps {percent(lost.recall)} of the neighbours"
    if lost.ndcg is not None and lost.ndcg_exact is not None:
        kept += f"; nDCG@{k} {lost.ndcg_exact:.3f} with float32, {lost.ndcg:.3f} here"
    exact, found = set(lost.exact), set(lost.found)
    left = [_hit(name, docs, "lost" if name not in found else None) for name in lost.exact]
    right = [_hit(name, docs, "other" if name not in exact else None) for name in lost.found]
    return element(
        "section",
        element("h3", title),
        element("p", f"{kept}.", class_="soft"),
        element(
            "div",
            element("div", element("h4", "float32 found"), element("ol", *left)),
            element("div", element("h4", "the quantized index found"), element("ol", *right)),
            class_="pair",
        ),
    )


def _hit(name: str, docs: Texts, mark: str | None) -> Element:
    text = " ".join(docs.get(name, "").split())
    shown = f"{name} \N{MIDDLE DOT} {text}" if text else name
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
    if mark is None:
        return element("li", shown)
    words = {"lost": " lost", "other": " instead"}
    return element("li", shown, element("span", words[mark], class_=mark))
