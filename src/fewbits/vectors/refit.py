"""Learning ranges anew for rows that are in an index already, and coding them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fewbits.arrays import BLOCK_BYTES, Bytes, Floats, as_matrix
from fewbits.errors import InputError
from fewbits.vectors.drift import Watched
from fewbits.vectors.exact import fetch
from fewbits.vectors.ids import IdArray, Rows
from fewbits.vectors.ingest import Ingest
from fewbits.vectors.sample import draw_sample
from fewbits.vectors.segments import Segments
from fewbits.vectors.state import State
from fewbits.vectors.tiers import Tiers

_SEED = 0xF17


class Source:
    """Where the vectors of an index's rows come from: the caller, or the second tier."""

    def __init__(self, state: State, originals: Any) -> None:  # noqa: ANN401 - array or function
        """Take the caller's vectors if there are any.

        Raises:
            InputError: neither vectors nor a second tier to read them from.
        """
        if originals is None and state.tiers.rescore is None:
            raise InputError(
                "refit codes all rows again, and codes of one tier are too coarse to do that from: "
                "pass originals=, or build the index with a second tier (rescore= or rescore_bits=)"
            )
        self._state = state
        self._originals = originals
        self.ids: IdArray = state.segments.live_ids()
        self._rows = np.asarray(state.segments.find(self.ids))

    @property
    def keeps_second_tier(self) -> bool:
        """Whether the second tier's codes stay: what was read from them cannot improve them."""
        second = self._state.tiers.rescore
        return self._originals is None and second is not None and second.standalone

    def vectors(self, chosen: Rows | slice) -> Floats:
        """Return the vectors of some of the live rows, float32 (n, d)."""
        if self._originals is None:
            return self._state.decode(self._rows[chosen])
        return fetch(self._originals, self.ids[chosen], self._state.tiers.codes.dims or 1)

    def sample(self, limit: int) -> Floats:
        """Return the vectors of at most `limit` rows, drawn at random."""
        n = len(self.ids)
        rng = np.random.default_rng(_SEED)
        chosen = np.arange(n) if n <= limit else np.sort(rng.choice(n, size=limit, replace=False))
        return self.vectors(chosen)

    def blocks(self) -> Iterator[tuple[Rows, Floats]]:
        """Walk (numbers among the live rows, vectors) in order, in blocks of about 8 MiB."""
        step = max(1, BLOCK_BYTES // (4 * (self._state.tiers.codes.dims or 1)))
        for start in range(0, len(self.ids), step):
            chosen = np.arange(start, min(start + step, len(self.ids)))
            yield chosen, self.vectors(chosen)

    def second_codes(self, chosen: Rows) -> Bytes:
        """Return the second tier's code rows of some of the live rows."""
        return self._state.second_codes(self._rows[chosen])


def refitted(
    state: State,
    x: Any,  # noqa: ANN401 - whatever `fit` takes
    originals: Any,  # noqa: ANN401
    threads: int | None,
) -> tuple[State, Watched]:
    """Return the live rows coded with ranges learned anew, and what was seen of them.

    Ids and their order stay; deleted rows are left out for good. `state` is not changed, so
    searches go on in it meanwhile.

    Raises:
        InputError: nothing to read vectors from, or vectors of another width.
    """
    source = Source(state, originals)
    most = state.tiers.sample_rows
    sample = source.sample(most) if x is None else draw_sample(x, most)
    if len(source.ids):
        as_matrix(sample, dims=state.tiers.codes.dims)
    tiers = state.tiers.blank()
    if source.keeps_second_tier:
        assert state.tiers.rescore is not None
        tiers = Tiers(tiers.codes, state.tiers.rescore)
    tiers.fit(sample, again=False)
    segments = Segments(next_id=state.segments.next_id)
    with Ingest(segments, tiers) as ingest:
        for chosen, vectors in source.blocks():
            kept = source.second_codes(chosen) if source.keeps_second_tier else None
            ingest.take(vectors, source.ids, threads, again=kept)
        ingest.finish(source.ids, source.ids[:0], segments)
    segments.next_id = state.segments.next_id
    return State(tiers, segments), ingest.watched
