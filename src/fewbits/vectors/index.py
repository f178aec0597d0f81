"""Index: vectors in, the best ids out, everything held and searched in its small form."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fewbits.arrays import Floats, as_count, as_queries, blocks
from fewbits.errors import InputError
from fewbits.vectors import persist
from fewbits.vectors.describe import describe
from fewbits.vectors.form import Metric
from fewbits.vectors.hits import Hits
from fewbits.vectors.ids import IdArray, Rows, as_ids, refuse_duplicates
from fewbits.vectors.ingest import Ingest
from fewbits.vectors.kernels import simd_level
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.registry import own_quantizer
from fewbits.vectors.sample import draw_sample
from fewbits.vectors.segments import Segments
from fewbits.vectors.twotier import TwoTier

if TYPE_CHECKING:
    from typing_extensions import Self

_FIT_ROWS = 32_768  # calibration rows kept of whatever `fit` is given


class Index:
    """A searchable collection of quantized vectors.

    Args:
        quantizer: a registered name ("int8", "binary", ...) or a quantizer object.
        metric: "cosine", "ip" or "l2"; default: the quantizer's own, which is cosine.
        rescore: a second tier that candidates are scored with again: "float16", "int8", or a
            quantizer object; None keeps one tier.
    """

    def __init__(
        self,
        quantizer: str | Quantizer = "int8",
        *,
        metric: Metric | None = None,
        rescore: str | Quantizer | None = None,
    ) -> None:
        """Make an empty index. Nothing is allocated before the first `add`."""
        self._codes = own_quantizer(quantizer, metric, "quantizer")
        self._rescore = (
            None if rescore is None else own_quantizer(rescore, self._codes.metric, "rescore")
        )
        self._segments = Segments()
        self._saved: persist.Saved | None = None
        self._writing = threading.RLock()  # one change at a time; searches need no lock
        self._clipped = (0.0, 0)  # clipped share and rows of the sampled ones

    # Adding and deleting.

    def fit(self, x: ArrayLike | Iterable[ArrayLike]) -> Self:
        """Learn ranges from calibration vectors (n, d) before anything is added. Returns self.

        Raises:
            InputError: the index has rows already; their codes would lose their meaning.
        """
        with self._writing:
            if self._segments.rows:
                raise InputError(
                    "fit must come before the first add; start a new Index to fit again"
                )
            sample = draw_sample(x, _FIT_ROWS)
            for quantizer in self._tiers():
                quantizer.fit(sample)
        return self

    def add(
        self,
        x: ArrayLike | Iterable[ArrayLike],
        ids: ArrayLike | Iterable[Any] | None = None,
        *,
        replace: bool = False,
        threads: int | None = None,
    ) -> Self:
        """Add vectors; all of them or, if anything is wrong, none. Returns self.

        If static ranges were not learned yet, they are learned from x (from its first block, where
        x is an iterator), and `info()["calibration_rows"]` says from how many rows.

        Args:
            x: float (n, d): an array, a memory map, or an iterable of blocks; O(block) memory.
            ids: n integers or n strings, unique; default: one more than the largest id so far.
            replace: rows whose id is present already replace the old ones; else that is an error.
            threads: at most this many; None for all cores.

        Raises:
            InputError: not finite floats of the index's width, or ids of another kind or number.
            DuplicateIdError: an id is given twice, or is in the index and replace is False.
        """
        names = None if ids is None else as_ids(ids)
        with self._writing:
            old = self._check_ids(names, replace)
            with Ingest(self._segments, self._tiers()) as ingest:
                ingest.calibrate(x)
                for block in blocks(x):
                    ingest.take(block, names, threads)
                ingest.finish(names, old, self._segments)
            self._note_clipped(ingest)
        return self

    def delete(self, ids: Any) -> None:  # noqa: ANN401 - one id or a sequence of them
        """Delete rows by id; all of them or, if one is unknown, none.

        Args:
            ids: one id, or a sequence of ids.

        Raises:
            UnknownIdError: an id is not in the index.
            DuplicateIdError: an id is given twice.
        """
        single = isinstance(ids, (str, int, np.integer)) and not isinstance(ids, bool)
        names = as_ids([ids] if single else ids)
        refuse_duplicates(names)
        with self._writing:
            self._segments.delete(names)

    def compact(self) -> Self:
        """Merge segments and drop deleted rows. Returns self.

        Row order and scores stay; the next `save` writes a file per 262,144 rows or so.
        """
        with self._writing:
            merged = Segments(next_id=self._segments.next_id)
            for segment in self._segments:
                rows = segment.live_rows()
                chosen: Rows | slice = slice(None) if rows is None else rows
                again = None if segment.rescore is None else segment.rescore[chosen]
                if segment.live:
                    merged.append(segment.codes[chosen], again, segment.ids.take(chosen))
            self._segments = merged
        return self

    # Searching.

    def search(
        self,
        q: ArrayLike,
        k: int = 10,
        *,
        filter: Any = None,  # noqa: ANN401 - the field's word
        oversample: float | None = None,
        originals: Any = None,  # noqa: ANN401 - array or function, see below
        threads: int | None = None,
    ) -> Hits:
        """Return the k best rows of each query. Ties go to the row added first.

        Args:
            q: float (nq, d), or (d,) for one query.
            k: hits wanted; there are fewer where fewer rows are left, never made-up ones.
            filter: ids that may be found (unknown ones are ignored), or booleans, one per live row
                in the order of iteration. The cost falls with the rows left.
            oversample: with a second tier or `originals`, ceil(k * oversample) candidates are
                scored again; default 4 there. 1 leaves the second tier out.
            originals: the caller's float vectors to rescore with instead of the second tier: an
                array indexed by integer ids, or a function from an array of ids to (m, d) vectors.
            threads: at most this many; None for all cores. The result does not depend on it.

        Raises:
            InputError: wrong width, not finite, or oversample with nothing to rescore from.
        """
        wanted = as_count(k, "k")
        queries, single = as_queries(q, dims=self._codes.dims)
        search = TwoTier(self._codes, self._rescore, originals, threads)
        factor = search.factor(oversample)
        scores, ids = search.run(queries, wanted, factor, self._segments, filter)
        return Hits(scores[0], ids[0]) if single else Hits(scores, ids)

    def decode(self, ids: Any) -> Floats:  # noqa: ANN401 - a sequence of ids
        """Return the stored vectors of ids, float32 (n, d), from the more accurate tier."""
        segments = self._segments  # one state, whatever another thread does meanwhile
        rows = segments.require(as_ids(ids))
        quantizer = self._rescore or self._codes
        out = np.empty((len(rows), self.dims or 1), dtype=np.float32)
        for segment in segments:
            inside = (rows >= segment.start) & (rows < segment.start + len(segment))
            if inside.any():
                stored = segment.codes if self._rescore is None else segment.rescore
                assert stored is not None
                out[inside] = quantizer.decode(stored[rows[inside] - segment.start])
        return out

    # Looking at it.

    def __len__(self) -> int:
        """Rows that are not deleted."""
        return len(self._segments)

    def __iter__(self) -> Iterator[Any]:
        """Walk the ids in the order in which they were added."""
        for segment in self._segments:
            yield from segment.live_ids().tolist()

    def __contains__(self, value: object) -> bool:
        """Whether an id is in the index."""
        try:
            names = as_ids([value])
        except InputError:
            return False  # what cannot be an id is not in any index
        kind = "int" if names.dtype == np.int64 else "str"
        segments = self._segments
        return kind == segments.id_kind and bool(segments.find(names)[0] >= 0)

    @property
    def ids(self) -> IdArray:
        """All ids in the order in which they were added: int64, or object holding str."""
        return self._segments.live_ids()

    @property
    def dims(self) -> int | None:
        """Dimensions; None before the first `add` or `fit`."""
        return self._codes.dims

    @property
    def quantizer(self) -> Quantizer:
        """A copy of the quantizer of the codes that are scanned: fitting it changes no index."""
        return own_quantizer(self._codes, None, "quantizer")

    def info(self) -> dict[str, Any]:
        """Return what the index is, as plain values that JSON holds."""
        saved = self._saved
        return {
            **describe(self._codes, self._rescore, self._segments),
            "clipped_fraction": self._clipped[0],
            "path": None if saved is None else str(saved.store.folder),
            "generation": None if saved is None else saved.generation,
            "simd_level": simd_level(),
        }

    # On disk.

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the index to a folder: all of it or nothing, durable when this returns.

        Saving again to the folder it came from writes only what is new. An index that is there is
        replaced in one step; a folder that holds something else is refused.

        Raises:
            ConflictError: somebody else is writing there, or has saved since this index was opened.
            StorageError: the disk is full or the system refused; the old index is intact.
            InputError: nothing was added yet, or the folder holds something else.
        """
        if self.dims is None:
            raise InputError(
                "this index is empty and has no dimensions yet: add vectors, then save"
            )
        with self._writing:
            about = {"metric": self._codes.metric, "clipped": list(self._clipped)}
            self._saved = persist.save(
                folder, self._codes, self._rescore, self._segments, about, self._saved
            )

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, verify: bool = True) -> Index:
        """Open a saved index; codes are memory-mapped, not read into memory.

        Args:
            folder: what `save` wrote.
            verify: compare all checksums first, which reads every byte once; False trusts the data
                and checks only the headers.

        Raises:
            FormatError: a file is damaged, truncated, foreign or of an unknown version.
            StorageError: there is no index in the folder, or the system refused to read.
        """
        found = persist.load(folder, verify=verify)
        index = cls(found.codes, rescore=found.rescore)
        index._segments = found.segments
        index._saved = found.saved
        share, rows = found.params["clipped"]
        index._clipped = (float(share), rows)
        return index

    # Inside.

    def _tiers(self) -> list[Quantizer]:
        return [self._codes] if self._rescore is None else [self._codes, self._rescore]

    def _check_ids(self, names: IdArray | None, replace: bool) -> IdArray:
        """Return the ids that are present and will be replaced."""
        if names is None:
            return np.empty(0, dtype=np.int64)
        refuse_duplicates(names)
        if not replace:
            self._segments.check_new(names)
            return names[:0]
        return names[self._segments.find(names) >= 0]

    def _note_clipped(self, ingest: Ingest) -> None:
        share, rows = self._clipped
        seen = rows + ingest.sampled
        if seen:
            self._clipped = ((share * rows + ingest.clipped * ingest.sampled) / seen, seen)
