"""Which rows a search looks at: all of them, or the lists whose centroids are near the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from fewbits.arrays import Floats, as_count
from fewbits.errors import InputError
from fewbits.vectors.candidates import most_candidates
from fewbits.vectors.ids import Rows
from fewbits.vectors.lists import as_clustered
from fewbits.vectors.margins import margin_for
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.segment import Segment
from fewbits.vectors.segments import Segments

Probes: TypeAlias = 'int | Literal["auto"] | None'

# Fewer are scanned whole by default. Of 384 dimensions at 1 bit, one query takes 0.8 ms for 100,000
# rows (0.15 ms by lists, recall 0.95); of many queries at once each takes 0.2 ms (0.3 ms). The rule
# does not look at the number of queries: what a query finds never depends on others beside it.
LEAST_ROWS = 100_000
_FEW = 16_384  # of a segment or a filter; scanned whole, also beside clustered segments
_MORE = 4  # times the lists, where those looked at hold too few rows

_BAD_SHARE = 0.1  # of all rows in one list
_BAD_BALANCE = 4.0
_TELLING = 8  # rows per list from which on unevenness says something


@dataclass(frozen=True)
class Probing:
    """How one search goes through sorted segments.

    Attributes:
        clustered: whether it goes by lists at all.
        why: the reason, for people.
        probes: most lists to look at per segment; 0 for no limit.
        margin: see `Clustered.scan_lists`; < 0 for none.
        depth: hits to hold while lists are looked at. More than wanted: the deeper hit that stops
            the search is more alike from query to query than the k-th.
        least: segments, and filters of a segment, of at most so many rows are scanned whole.
    """

    clustered: bool
    why: str
    probes: int = 0
    margin: float = -1.0
    depth: int = 0
    least: int = 0


FLAT = Probing(False, "every row is looked at")


def choose(segments: Segments, quantizer: object, nprobe: Probes, recall: float, k: int) -> Probing:
    """Return how to search.

    Args:
        segments: all rows.
        quantizer: of the codes.
        nprobe: lists to look at per segment; "auto" for as many as `recall` needs, or for all
            rows where that is faster; None for all rows.
        recall: the share of the k best rows (as exact scores have them) that lists may not miss on
            average, from 0.5 on and below 1; 1 for all rows. Used by "auto" only.
        k: hits wanted.

    Raises:
        InputError: nprobe is none of these, or recall is out of range.
    """
    if not isinstance(nprobe, str) and nprobe is not None:
        return _by_number(quantizer, as_count(nprobe, "nprobe", least=1), k)
    if nprobe not in (None, "auto"):
        raise InputError(f"nprobe must be a number, 'auto' or None, got {nprobe!r}")
    if isinstance(recall, bool) or not isinstance(recall, (int, float, np.number)):
        raise InputError(f"recall must be a number, got {type(recall).__name__}")
    if not 0.5 <= recall <= 1:
        raise InputError(f"recall must be 0.5 to 1, got {recall}")
    if nprobe is None:
        return FLAT
    return _by_recall(segments, quantizer, float(recall), k)


def _by_number(quantizer: object, nprobe: int, k: int) -> Probing:
    clustered = as_clustered(quantizer)
    if clustered is None:
        return Probing(False, "the quantizer has no clusters")
    if nprobe >= clustered.lists:
        return Probing(False, f"nprobe={nprobe} asks for all {clustered.lists} lists")
    return Probing(True, f"nprobe={nprobe}", probes=nprobe, depth=k)


def _by_recall(segments: Segments, quantizer: object, recall: float, k: int) -> Probing:
    clustered = as_clustered(quantizer)
    if clustered is None:
        return Probing(False, "the quantizer has no clusters")
    if recall == 1:
        return Probing(False, "recall=1 asks for all rows")
    rows = sum(segment.live for segment in segments if segment.lists is not None)
    least = max(LEAST_ROWS, 8 * clustered.lists)
    if rows < least:
        return Probing(False, f"{rows} sorted rows, below {least} all rows are scanned as fast")
    table = getattr(quantizer, "margins", None)
    if table is None:
        return Probing(False, "the quantizer has no margins: it was fitted on too few rows")
    margin = margin_for(table, rows, k, recall)
    why = f"{rows} rows in {clustered.lists} lists, margin {margin:.2f} for recall {recall}"
    return Probing(True, why, margin=margin, depth=most_candidates(k), least=_FEW)


def search_segment(
    quantizer: Quantizer,
    q: Floats,
    segment: Segment,
    local: Rows | None,
    k: int,
    probing: Probing,
    threads: int | None,
) -> tuple[Floats, Rows]:
    """Return (scores, local rows) of the k best of a segment, each (nq, min(k, rows allowed)).

    Where the lists looked at hold fewer rows than that, more lists are looked at.

    Args:
        quantizer: of the codes.
        q: float32 (nq, d), gated.
        segment: sorted or not.
        local: rows that may be found, ascending; None for all.
        k: hits wanted, >= 1.
        probing: as `choose` returned it.
        threads: at most this many; None for all cores.
    """
    allowed = len(segment) if local is None else len(local)
    clustered = as_clustered(quantizer)
    if (
        clustered is None
        or segment.lists is None
        or not probing.clustered
        or allowed <= max(probing.least, 1)
    ):
        return quantizer.scan(q, segment.codes, k, local, threads)
    wanted, held = min(k, allowed), min(max(k, probing.depth), allowed)
    alive, codes, lists = segment.marks_of(local), segment.codes, segment.lists
    probes, margin = probing.probes, probing.margin
    scores, rows, _ = clustered.scan_lists(q, codes, lists, alive, held, probes, margin, threads)
    scores, rows = scores[:, :wanted].copy(), rows[:, :wanted].copy()
    while len(short := np.flatnonzero(rows[:, -1] < 0)):
        probes = probes * _MORE if probes * _MORE < clustered.lists else 0
        scores[short], rows[short], _ = clustered.scan_lists(
            q[short], codes, lists, alive, wanted, probes, margin, threads
        )
    return scores, rows


def describe_lists(segments: Segments, quantizer: object) -> dict[str, Any]:
    """Return how rows are spread over lists, as plain values for `Index.info`.

    "imbalance" is sum n_l^2 * L / n^2: how many times more rows a visit meets than if all lists
    were of one length. It grows where rows have moved away from what centroids were found on.
    """
    clustered = as_clustered(quantizer)
    if clustered is None:
        return {}
    probing = choose(segments, quantizer, "auto", 0.95, 10)
    sizes = np.zeros(clustered.lists, dtype=np.int64)
    for segment in segments:
        if segment.lists is not None:
            sizes += np.diff(segment.lists)
    n = int(sizes.sum())
    share = float(sizes.max() / n) if n else 0.0
    balance = float((sizes.astype(np.float64) ** 2).sum() * len(sizes) / n**2) if n else 1.0
    enough = n >= _TELLING * len(sizes)
    return {
        "clusters": clustered.lists,
        "sorted_rows": n,
        "search": "clustered" if probing.clustered else "flat",
        "search_why": probing.why,
        "largest_list_share": share,
        "imbalance": balance,
        "clusters_warning": _warning(share, balance, clustered.lists) if enough else None,
    }


def _warning(share: float, balance: float, lists: int) -> str | None:
    if balance < _BAD_BALANCE and share < max(_BAD_SHARE, _BAD_BALANCE / lists):
        return None
    return (
        f"lists are uneven: the largest holds {share:.0%} of the rows and a visit meets "
        f"{balance:.1f} times the rows of even lists; rows may have moved away from those that "
        "centroids were found on, or many are alike: fit again on a sample of all rows"
    )
