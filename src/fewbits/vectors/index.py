"""Index: vectors in, the best ids out, everything held and searched in its small form."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fewbits.arrays import Floats, as_count, as_queries, blocks
from fewbits.errors import InputError
from fewbits.vectors import persist
from fewbits.vectors.arrange import arrange
from fewbits.vectors.contents import Contents
from fewbits.vectors.drift import Watched, warn_if_foreign
from fewbits.vectors.form import Metric
from fewbits.vectors.hits import Hits
from fewbits.vectors.ids import as_ids, refuse_duplicates
from fewbits.vectors.ingest import Ingest, ids_to_replace
from fewbits.vectors.probing import Probes
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.refit import refitted
from fewbits.vectors.sample import draw_sample
from fewbits.vectors.segments import Segments
from fewbits.vectors.single import add_row, delete_row, plain_id
from fewbits.vectors.state import State
from fewbits.vectors.tiers import make_tiers
from fewbits.vectors.twotier import TwoTier

if TYPE_CHECKING:
    from typing_extensions import Self

_ARRANGED = 1024  # rows added one by one before it is seen whether they should be sorted


class Index(Contents):
    """A searchable collection of quantized vectors.

    Args:
        quantizer: a registered name ("trellis", "int8", "binary", ...) or a quantizer object.
        metric: "cosine", "ip" or "l2"; default: the quantizer's own, which is cosine.
        rescore: a second tier that candidates are scored with again: "float16", "int8", or a
            quantizer object; None keeps one tier.
        rescore_bits: bits per dimension of a second tier that codes only what the first one left
            over, for kinds that have one ("trellis").
        clusters: how many clusters to divide the rows into, for kinds that learn them ("trellis").
        params: parameters of the quantizer, where it is given by name.

    Raises:
        InputError: arguments that do not go together, or that the kind does not have.
    """

    def __init__(
        self,
        quantizer: str | Quantizer = "int8",
        *,
        metric: Metric | None = None,
        rescore: str | Quantizer | None = None,
        rescore_bits: float | None = None,
        clusters: int | None = None,
        **params: Any,  # noqa: ANN401 - the kind's own
    ) -> None:
        """Make an empty index. Nothing is allocated before the first `add`."""
        tiers = make_tiers(quantizer, metric, rescore, rescore_bits, clusters, params)
        self._state = State(tiers, Segments())
        self._saved: persist.Saved | None = None
        self._writing = threading.RLock()  # one change at a time; searches need no lock
        self._watched = Watched()
        self._warned = False  # of foreign rows, once

    # Adding and deleting.

    def fit(self, x: ArrayLike | Iterable[ArrayLike]) -> Self:
        """Learn ranges from calibration vectors (n, d) before anything is added. Returns self.

        Raises:
            InputError: the index has rows already; their codes would lose their meaning.
        """
        with self._writing:
            if self._state.segments.rows:
                raise InputError(
                    "fit must come before the first add; call refit, or start a new Index"
                )
            self._state.tiers.fit(draw_sample(x, self._state.tiers.sample_rows))
        return self

    def refit(
        self,
        x: ArrayLike | Iterable[ArrayLike] | None = None,
        *,
        originals: Any = None,  # noqa: ANN401 - array or function, as for `search`
        threads: int | None = None,
    ) -> Self:
        """Learn ranges anew and code all rows again; ids and order stay. Returns self.

        For an index whose rows have become unlike those that ranges were learned from, see
        `info()["drift"]`. Searches go on meanwhile and see the old codes or the new ones; memory
        holds both until it is done. Deleted rows are dropped for good, as by `compact`.

        Args:
            x: calibration vectors (n, d); default: a sample of the rows of the index.
            originals: the caller's float vectors to code the rows from: an array indexed by
                integer ids, or a function from an array of ids to (m, d) vectors. Default: the
                vectors that the second tier holds.
            threads: at most this many; None for all cores.

        Raises:
            InputError: no second tier and no originals, or vectors of another width.
        """
        with self._writing:
            self._state, self._watched = refitted(self._state, x, originals, threads)
            self._warned = False
            self._arrange()
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
        with self._writing:
            one = add_row(self._state, x, ids, threads)
            if one is not None:
                self._watched = self._watched.plus(one)
                if self._state.segments.rows % _ARRANGED == 0:
                    self._arrange()
                return self
        names = None if ids is None else as_ids(ids)
        with self._writing:
            state = self._state
            old = ids_to_replace(state.segments, names, replace=replace)
            with Ingest(state.segments, state.tiers) as ingest:
                ingest.calibrate(x)
                for block in blocks(x):
                    ingest.take(block, names, threads)
                ingest.finish(names, old, self._state.segments)
            self._note(ingest.watched)
            self._arrange()
        return self

    def delete(self, ids: Any) -> None:  # noqa: ANN401 - one id or a sequence of them
        """Delete rows by id; all of them or, if one is unknown, none.

        Args:
            ids: one id, or a sequence of ids.

        Raises:
            UnknownIdError: an id is not in the index.
            DuplicateIdError: an id is given twice.
        """
        one = plain_id(ids)
        if one is not None:
            with self._writing:
                if delete_row(self._state.segments, one):
                    return
        single = isinstance(ids, (str, int, np.integer)) and not isinstance(ids, bool)
        names = as_ids([ids] if single else ids)
        refuse_duplicates(names)
        with self._writing:
            self._state.segments.delete(names)

    def compact(self) -> Self:
        """Merge segments and drop deleted rows. Returns self.

        Row order and scores stay; the next `save` writes a file per 262,144 rows or so. With
        clusters, all rows come to lie in the order of their clusters, in one segment.
        """
        with self._writing:
            self._state = self._state.compacted()
            self._arrange(force=True)
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
        nprobe: Probes = "auto",
        recall: float = 0.95,
        threads: int | None = None,
    ) -> Hits:
        """Return the k best rows of each query. Ties go to the row added first.

        Args:
            q: float (nq, d), or (d,) for one query.
            k: hits wanted; there are fewer where fewer rows are left, never made-up ones.
            filter: ids that may be found (unknown ones are ignored), or booleans, one per live row
                in the order of iteration. The cost falls with the rows left.
            oversample: with a second tier or `originals`, ceil(k * oversample) candidates are
                scored again. 1 leaves the second tier out. By default each query takes as many
                candidates as could still be among its k best, given the error of the first
                tier's scores; 4 per hit for quantizers that do not know that error.
            originals: the caller's float vectors to rescore with instead of the second tier: an
                array indexed by integer ids, or a function from an array of ids to (m, d) vectors.
            nprobe: with clusters, how many to look into; "auto" for as many as `recall` needs,
                once there are rows enough for that to be faster than looking at all; None for all.
            recall: share of the best rows that "auto" may not miss, on average, 0.5 to 1.
            threads: at most this many; None for all cores. The result does not depend on it.

        Raises:
            InputError: wrong width, not finite, or oversample with nothing to rescore from.
        """
        state = self._state
        wanted = as_count(k, "k")
        queries, single = as_queries(q, dims=state.tiers.codes.dims)
        search = TwoTier(state, originals, threads, nprobe, recall)
        scores, ids = search.run(queries, wanted, search.factor(oversample), filter)
        return Hits(scores[0], ids[0]) if single else Hits(scores, ids)

    def decode(self, ids: Any) -> Floats:  # noqa: ANN401 - a sequence of ids
        """Return the stored vectors of ids, float32 (n, d), from the more accurate tier."""
        state = self._state  # one state, whatever another thread does meanwhile
        return state.decode(state.segments.require(as_ids(ids)))

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
            self._saved = persist.save(folder, self._state, self._watched, self._saved)

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
        index = cls(found.state.tiers.codes)
        index._state, index._watched, index._saved = found.state, found.watched, found.saved
        return index

    # Inside.

    def _arrange(self, *, force: bool = False) -> None:
        """Sort new rows into clusters when enough have come, where there are clusters."""
        state = self._state
        segments = arrange(state.segments, state.tiers.codes, force=force)
        if segments is not state.segments:
            self._state = State(state.tiers, segments)

    def _note(self, added: Watched) -> None:
        self._watched = self._watched.plus(added)
        if not self._warned:
            of_fit = self._state.tiers.codes.fit_distortion
            self._warned = warn_if_foreign(added.lost, of_fit)
