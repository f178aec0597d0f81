"""Two encoders side by side: what a smaller model keeps of the original, on the user's texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.evaluate.bootstrap import Interval, difference_interval, mean_interval
from fewbits.evaluate.correlation import spearman, spearman_kept
from fewbits.evaluate.datasets import Dataset
from fewbits.evaluate.exact import exact_neighbours
from fewbits.evaluate.metrics import ndcg_at
from fewbits.evaluate.pairs import Pairs
from fewbits.models import Encoder

_INVARIANCE_TEXTS = 64
_WORST = 5

Advance = Callable[[str], None]
"""Called with the name of the part that begins."""


@dataclass(frozen=True)
class Kept:
    """One quality figure before and after.

    Attributes:
        data: name of the data set.
        count: pairs or judged queries.
        before: the original's figure.
        after: the candidate's.
        kept: after / before; with an interval.
        change: after - before per query with its interval, where the figure is a mean of queries.
    """

    data: str
    count: int
    before: float
    after: float
    kept: Interval
    change: Interval | None = None


@dataclass(frozen=True)
class EncoderComparison:
    """What `compare_encoders` found.

    Attributes:
        texts: how many texts were compared.
        cosine: mean cosine to the original's vectors, with its interval.
        worst_cosine: the least of them.
        worst: the texts with the least cosines, (cosine, text), worst first.
        largest_difference: the largest difference of a coordinate between a text encoded alone, in
            batches of another order and size, and on another number of threads; 0 means the same
            to the bit.
        spearman: on sentence pairs, where given.
        ndcg: nDCG@10 on a retrieval data set, where given.
    """

    texts: int
    cosine: Interval
    worst_cosine: float
    worst: list[tuple[float, str]]
    largest_difference: float
    spearman: Kept | None
    ndcg: Kept | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return dataclasses.asdict(self)


def compare_encoders(
    original: Encoder,
    candidate: Encoder,
    texts: Sequence[str],
    *,
    pairs: Pairs | None = None,
    dataset: Dataset | None = None,
    advance: Advance | None = None,
) -> EncoderComparison:
    """Measure what `candidate` keeps of `original`.

    Args:
        original: the encoder before quantization.
        candidate: the encoder after it, of the same width.
        texts: texts of the user's own, at least 2.
        pairs: sentence pairs with people's scores, for Spearman's correlation of the cosines.
        dataset: documents, queries and judgements, for nDCG@10 by exact cosine search; each model
            encodes documents and queries itself.
        advance: told what is measured next.

    Raises:
        InputError: fewer than two texts, a bare string, or vectors of different widths.
    """
    if isinstance(texts, str) or len(texts) < 2:
        got = "a bare string" if isinstance(texts, str) else len(texts)
        raise InputError(f"texts must hold at least 2 texts, got {got}")
    if original.dims != candidate.dims:
        raise InputError(
            f"both encoders must have the same width, got {original.dims} and {candidate.dims}"
        )
    tell = advance or (lambda _: None)
    tell("texts")
    cosines = _row_cosines(original.encode(list(texts)), candidate.encode(list(texts)))
    order = np.argsort(cosines)[:_WORST]
    tell("batches")
    difference = _largest_difference(candidate, list(texts)[:_INVARIANCE_TEXTS])
    return EncoderComparison(
        texts=len(texts),
        cosine=mean_interval(cosines),
        worst_cosine=float(cosines.min()),
        worst=[(float(cosines[row]), texts[row]) for row in order],
        largest_difference=difference,
        spearman=_spearman(original, candidate, pairs, tell) if pairs else None,
        ndcg=_ndcg(original, candidate, dataset, tell) if dataset else None,
    )


def _row_cosines(x: Floats, y: Floats) -> Floats:
    left, right = x.astype(np.float64), y.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    dots = np.einsum("ij,ij->i", left, right)
    both_zero = ~left.any(axis=1) & ~right.any(axis=1)
    cosines: Floats = np.where(both_zero, 1.0, dots / np.maximum(lengths, 1e-30))
    return cosines


def _largest_difference(encoder: Encoder, texts: list[str]) -> float:
    together = encoder.encode(texts)
    alone = np.stack([encoder.encode(text) for text in texts])
    backwards = encoder.encode(texts[::-1], batch_tokens=256)[::-1]
    one_thread = encoder.encode(texts, threads=1)
    others = (alone, backwards, one_thread)
    return max(float(np.abs(together - other).max()) for other in others)


def _spearman(original: Encoder, candidate: Encoder, pairs: Pairs, tell: Advance) -> Kept:
    tell("sentence pairs")
    scores = []
    for encoder in (original, candidate):
        left, right = encoder.encode(pairs.left), encoder.encode(pairs.right)
        scores.append(_row_cosines(left, right))
    before, after = (spearman(score, pairs.scores) for score in scores)
    kept = spearman_kept(scores[0], scores[1], pairs.scores)
    return Kept(pairs.name, len(pairs.scores), before, after, kept)


def _ndcg(original: Encoder, candidate: Encoder, data: Dataset, tell: Advance) -> Kept:
    tell("retrieval")
    figures = []
    for encoder in (original, candidate):
        found = exact_neighbours(encoder.encode(data.docs), encoder.encode(data.queries), 10)
        rankings = {
            query: [data.doc_ids[row] for row in rows]
            for query, rows in zip(data.query_ids, found.tolist(), strict=True)
        }
        figures.append(ndcg_at(rankings, data.qrels, 10))
    names = sorted(figures[0])
    before, after = (np.array([figure[name] for name in names]) for figure in figures)
    base = float(before.mean())
    if base == 0:
        raise InputError(f"{data.name}: the original finds no relevant document at all")
    change = difference_interval(after, before)
    kept = Interval(1 + change.mean / base, 1 + change.low / base, 1 + change.high / base)
    return Kept(data.name, len(names), base, float(after.mean()), kept, change)
