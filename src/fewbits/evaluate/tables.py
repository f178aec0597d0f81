"""The numbers of a report: what was kept, and how fast."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from fewbits.evaluate.bootstrap import Interval
from fewbits.evaluate.markup import Child, element
from fewbits.evaluate.results import Results, Row
from fewbits.evaluate.wording import (
    amount,
    change_range,
    percent,
    share_range,
    signed,
    times,
)

_NONE = "\N{EN DASH}"


def quality_table(results: Results) -> Element:
    """Return bytes, recall and, where judgements exist, nDCG; smallest first, float32 last."""
    k, base = results.meta["k"], results.baseline
    judged, rescored = base.ndcg is not None, _rescored(results)
    heads = ["Quantizer", "Bytes per vector", "Smaller", f"Recall@{k}"]
    heads += [f"Recall@{k}, rescored"] if rescored else []
    heads += [f"nDCG@{k}", "Change to float32"] if judged else []
    heads += ["Change, rescored"] if judged and rescored else []
    body = []
    for row in _by_size(results):
        cells: list[Child] = [_share(row.plain.recall)]
        cells += [_share(row.rescored.recall if row.rescored else None)] if rescored else []
        if judged:
            cells += [_ndcg(row.plain.ndcg), _change(row.plain.ndcg_change)]
        if judged and rescored:
            cells.append(_change(row.rescored.ndcg_change if row.rescored else None))
        body.append(_row(row.label, _bytes(row), times(row.ratio), *cells))
    exact: list[Child] = [percent(1.0)]
    exact += [percent(1.0)] if rescored else []
    exact += [_ndcg(base.ndcg), _NONE] if judged else []
    exact += [_NONE] if judged and rescored else []
    body.append(_row("exact float32 search", amount(base.bytes_per_vector), times(1.0), *exact))
    return _table("What is kept", heads, body)


def speed_table(results: Results) -> Element:
    """Return encode and search speed; smallest first."""
    rescored = _rescored(results)
    heads = ["Quantizer", "Encode, vectors/s", "Encode, MB/s", "One query, ms"]
    heads += ["One query, rescored, ms"] if rescored else []
    heads += ["Batch, queries/s"] + (["Batch, rescored, queries/s"] if rescored else [])
    body = []
    for row in _by_size(results):
        again = row.rescored
        cells: list[Child] = [
            amount(row.encode_vectors_per_second),
            amount(row.encode_mb_per_second),
        ]
        cells.append(amount(row.plain.ms_per_query))
        cells += [amount(again.ms_per_query) if again else _NONE] if rescored else []
        cells.append(amount(row.plain.queries_per_second))
        cells += [amount(again.queries_per_second) if again else _NONE] if rescored else []
        body.append(_row(row.label, *cells))
    return _table("Speed on this machine", heads, body)


def _rescored(results: Results) -> bool:
    return any(row.rescored for row in results.rows)


def _by_size(results: Results) -> list[Row]:
    return sorted(results.rows, key=lambda row: (row.bytes_per_vector, row.plain.recall.mean))


def _table(name: str, heads: list[str], body: list[Element]) -> Element:
    table = element(
        "table",
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *body),
    )
    # A region that scrolls sideways on a phone must be reachable from the keyboard.
    return element("div", table, class_="scroll", role="region", aria_label=name, tabindex="0")


def _row(label: str, *cells: Child) -> Element:
    return element(
        "tr",
        element("th", label, scope="row"),
        *(cell if isinstance(cell, Element) else element("td", cell) for cell in cells),
    )


def _bytes(row: Row) -> Element:
    second = row.rescore_bytes_per_vector
    note = element("small", f"+ {amount(second)} to rescore") if second else None
    return element("td", amount(row.bytes_per_vector), note)


def _share(interval: Interval | None) -> Element:
    if interval is None:
        return element("td", _NONE)
    return element("td", percent(interval.mean), element("small", share_range(interval)))


def _ndcg(interval: Interval | None) -> Element:
    if interval is None:
        return element("td", _NONE)
    bounds = f"{interval.low:.3f} to {interval.high:.3f}"
    return element("td", f"{interval.mean:.3f}", element("small", bounds))


def _change(interval: Interval | None) -> Element:
    if interval is None:
        return element("td", _NONE)
    return element("td", signed(interval.mean), element("small", change_range(interval)))
