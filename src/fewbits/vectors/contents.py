"""Looking at an index: its ids, its size, what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fewbits.errors import InputError
from fewbits.vectors.describe import describe
from fewbits.vectors.drift import Watched
from fewbits.vectors.ids import IdArray, as_ids
from fewbits.vectors.kernels import simd_level
from fewbits.vectors.persist import Saved
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.registry import own_quantizer
from fewbits.vectors.state import State


class Contents:
    """What can be read off an index without searching it."""

    # All that a search reads, in one object: it is read once and replaced in one assignment.
    _state: State
    _watched: Watched
    _saved: Saved | None

    def __len__(self) -> int:
        """Rows that are not deleted."""
        return len(self._state.segments)

    def __iter__(self) -> Iterator[Any]:
        """Walk the ids in the order in which they were added."""
        for segment in self._state.segments:
            yield from segment.live_ids().tolist()

    def __contains__(self, value: object) -> bool:
        """Whether an id is in the index."""
        try:
            names = as_ids([value])
        except InputError:
            return False  # what cannot be an id is not in any index
        kind = "int" if names.dtype == np.int64 else "str"
        segments = self._state.segments
        return kind == segments.id_kind and bool(segments.find(names)[0] >= 0)

    @property
    def ids(self) -> IdArray:
        """All ids in the order in which they were added: int64, or object holding str."""
        return self._state.segments.live_ids()

    @property
    def dims(self) -> int | None:
        """Dimensions; None before the first `add` or `fit`."""
        return self._state.tiers.codes.dims

    @property
    def quantizer(self) -> Quantizer:
        """A copy of the quantizer of the codes that are scanned: fitting it changes no index."""
        return own_quantizer(self._state.tiers.codes, None, "quantizer")

    def info(self) -> dict[str, Any]:
        """Return what the index is, as plain values that JSON holds."""
        saved = self._saved
        return {
            **describe(self._state, self._watched),
            "path": None if saved is None else str(saved.store.folder),
            "generation": None if saved is None else saved.generation,
            "simd_level": simd_level(),
        }
