"""The base of all quantizers.

A quantizer is one file: `class Int8(LinearQuantizer, name="int8")` registers itself, and choices on
the command line, report rows and conformance tests follow from the registry. The base owns the
door: it checks what comes in, that ranges were learned, and the shape and dtype of what goes out.
"""

from __future__ import annotations

import dataclasses
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Bytes, Floats, as_count, as_matrix, as_queries
from fewbits.errors import CalibrationWarning, InputError, NotFittedError
from fewbits.vectors.exact import dense_scores
from fewbits.vectors.form import METRICS, Metric
from fewbits.vectors.hooks import Hooks
from fewbits.vectors.registry import register
from fewbits.vectors.rownumbers import as_candidates, as_row_numbers
from fewbits.vectors.sample import draw_sample
from fewbits.vectors.topk import best_of_blocks

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclasses.dataclass(kw_only=True, eq=False)
class Quantizer(Hooks, ABC):
    """Maps float32 vectors (n, d) to code rows uint8 (n, code_size), and back.

    A code row is complete: its score and its decoded vector depend on nothing but the row and what
    `fit` learned. Once fitted, a quantizer does not change and may be shared between threads.

    Attributes:
        metric: "cosine" (rows and queries are normalised), "ip" or "l2" (score = -|q - x|^2).
    """

    metric: Metric = "cosine"

    name: ClassVar[str] = ""
    # Fewer rows than this teach ranges that later data will overflow: `fit` warns.
    advised_rows: ClassVar[int] = 256

    def __init_subclass__(cls, *, name: str = "", standalone: bool = True, **kwargs: Any) -> None:  # noqa: ANN401
        """Register the subclass under `name`; a subclass without a name is a shared base.

        `standalone=False` keeps a kind that needs a first tier out of the list of names.
        """
        super().__init_subclass__(**kwargs)
        if not name:
            return
        register(name, cls)
        cls.name = name
        cls.standalone = standalone

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            InputError: a parameter is out of range.
        """
        if self.metric not in METRICS:
            raise InputError(f"metric must be one of {', '.join(METRICS)}, got {self.metric!r}")

    # The door: public, concrete.

    def fit(self, x: ArrayLike | Iterable[ArrayLike], *, sample: int | None = None) -> Self:
        """Learn ranges from calibration vectors.

        Args:
            x: float (n, d), or an iterable of such blocks. Of more than `sample` rows a seeded
                uniform sample is used; memory stays O(sample + block).
            sample: most rows to learn from; default: what the kind has a use for, mostly 32,768.

        Raises:
            InputError: no rows, or not finite floats.

        Warns:
            CalibrationWarning: fewer rows than `advised_rows`, where ranges are learned.
        """
        most = self.sample_rows if sample is None else as_count(sample, "sample", least=1)
        rows = draw_sample(x, most)
        if len(rows) == 0:
            raise InputError("x must have at least one row to fit on, got none")
        if self.needs_fit and len(rows) < self.advised_rows:
            warnings.warn(
                f"{self.name} was fitted on {len(rows)} rows; with fewer than {self.advised_rows} "
                "the ranges may not hold for other data: pass more rows to fit",
                CalibrationWarning,
                stacklevel=2,
            )
        self._fit(rows)
        self.dims = rows.shape[1]
        self.calibration_rows = len(rows)
        return self

    def encode(self, x: ArrayLike, *, threads: int | None = 1) -> Bytes:
        """Return code rows uint8 (n, code_size). A row's code does not depend on its batch.

        Raises:
            NotFittedError: ranges are static and `fit` was not called.
            InputError: not finite floats of the fitted width.
        """
        self._require_fitted()
        rows = as_matrix(x, dims=self.dims)
        before = self.dims
        if before is None:
            self.bind(rows.shape[1])
        try:
            return self.encode_watched(rows, threads)[0]
        except BaseException:
            self.dims = before  # a refused batch does not fix the dimensions
            raise

    def encode_watched(self, x: Floats, threads: int | None) -> tuple[Bytes, Floats | None]:
        """Return code rows of gated vectors, and the share of each row lost: float32 (n,).

        None instead of the share where encoding does not give it for free.
        """
        codes = self._encode(x, threads)
        if codes.shape != (len(x), self.code_size) or codes.dtype != np.uint8:
            raise TypeError(f"{type(self).__name__}._encode broke its contract: {codes.shape}")
        return codes, None

    def decode(self, codes: NDArray[np.uint8]) -> Floats:
        """Return the vectors that code rows stand for, float32 (n, d).

        Raises:
            NotFittedError: neither fitted nor used for encoding yet.
            InputError: not uint8 (n, code_size).
        """
        return self._decode(self.as_codes(codes))

    def score(self, q: ArrayLike, codes: NDArray[np.uint8], *, threads: int | None = 1) -> Floats:
        """Return scores in units of the metric, higher is better: float32 (nq, n), or (n,).

        cosine: the cosine; ip: the inner product; l2: -|q - x|^2.

        Args:
            q: float (nq, d) or (d,).
            codes: uint8 (n, code_size).
            threads: at most this many; None for all cores.
        """
        rows = self.as_codes(codes)
        queries, single = as_queries(q, dims=self.dims)
        scores = self._score(queries, rows, threads)
        return scores[0] if single else scores

    def search(
        self,
        q: ArrayLike,
        codes: NDArray[np.uint8],
        k: int,
        *,
        rows: NDArray[np.int64] | None = None,
        threads: int | None = None,
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Return (scores, rows) of the k best code rows, each (nq, min(k, n)), best first.

        Args:
            q: float (nq, d).
            codes: uint8 (n, code_size).
            k: how many; fewer rows give fewer hits.
            rows: ascending row numbers to look at; None for all.
            threads: at most this many; None for all cores.

        Raises:
            InputError: q, codes or rows of another dtype, shape or range.
        """
        matrix = self.as_codes(codes)
        queries = as_matrix(q, "q", dims=self.dims)
        chosen = None if rows is None else as_candidates(rows, len(matrix))
        wanted = min(as_count(k, "k"), len(matrix) if chosen is None else len(chosen))
        if wanted == 0:
            empty = (len(queries), 0)
            return np.empty(empty, dtype=np.float32), np.empty(empty, dtype=np.int64)
        return self.scan(queries, matrix, wanted, chosen, threads)

    def score_rows(
        self,
        q: ArrayLike,
        codes: NDArray[np.uint8],
        rows: NDArray[np.int64],
        *,
        threads: int | None = None,
    ) -> Floats:
        """Return float32 (nq, m): scores of the code rows rows[i, :]; -inf where negative."""
        matrix = self.as_codes(codes)
        queries = as_matrix(q, "q", dims=self.dims)
        numbers = as_row_numbers(rows, 2, len(matrix))
        if len(numbers) != len(queries):
            raise InputError(
                f"rows must have one line per query: {len(queries)} queries, {len(numbers)} lines"
            )
        return self.rescan(queries, matrix, numbers, threads)

    @property
    def code_size(self) -> int:
        """Bytes per vector, per-vector factors included.

        Raises:
            NotFittedError: the number of dimensions is not known yet.
        """
        if self.dims is None:
            raise NotFittedError(
                f"{self.name} does not know its dimensions yet: fit or encode first"
            )
        return self._code_size(self.dims)

    @property
    def needs_fit(self) -> bool:
        """Whether `fit` must be called before `encode`."""
        return True

    @property
    def fitted(self) -> bool:
        """Whether `encode` may be called."""
        return not self.needs_fit or self.calibration_rows is not None

    def bind(self, dims: int) -> None:
        """Fix the number of dimensions of a quantizer that learns nothing else."""
        if self.dims not in (None, dims):
            raise InputError(f"{self.name} has {self.dims} dimensions, cannot take {dims}")
        self.dims = as_count(dims, "dims", least=1)

    def as_codes(self, codes: NDArray[np.uint8]) -> Bytes:
        """Gate for code rows: uint8 (n, code_size), C-contiguous.

        Raises:
            InputError: another dtype or shape.
        """
        size = self.code_size
        if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
            got = codes.dtype if isinstance(codes, np.ndarray) else type(codes).__name__
            raise InputError(f"codes must be a uint8 array (n, {size}) from encode, got {got}")
        if codes.ndim != 2 or codes.shape[1] != size:
            raise InputError(f"codes must have shape (n, {size}), got {codes.shape}")
        return np.ascontiguousarray(codes)

    # The maths: filled in by subclasses.

    @abstractmethod
    def _fit(self, x: Floats) -> None:
        """Learn from x (n, d), n >= 1."""

    @abstractmethod
    def _encode(self, x: Floats, threads: int | None) -> Bytes:
        """Return uint8 (n, code_size)."""

    @abstractmethod
    def _decode(self, codes: Bytes) -> Floats:
        """Return float32 (n, d)."""

    @abstractmethod
    def _code_size(self, d: int) -> int:
        """Return bytes per row of d dimensions."""

    def _score(self, q: Floats, codes: Bytes, threads: int | None) -> Floats:
        """Score through decoding: correct for every quantizer, fast for none."""
        return dense_scores(q, self._decode(codes), self.metric)

    def scan(
        self,
        q: Floats,
        codes: Bytes,
        k: int,
        rows: NDArray[np.int64] | None,
        threads: int | None,
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Do what `search` does, for arrays that have passed the gate."""
        return best_of_blocks(lambda part: self._score(q, part, threads), codes, rows, len(q), k)

    def rescan(
        self, q: Floats, codes: Bytes, rows: NDArray[np.int64], threads: int | None
    ) -> Floats:
        """Do what `score_rows` does, for arrays that have passed the gate."""
        out = np.full(rows.shape, -np.inf, dtype=np.float32)
        for i, line in enumerate(rows):
            there = line >= 0
            out[i, there] = self._score(q[i : i + 1], codes[line[there]], threads)[0]
        return out

    def _require_fitted(self) -> None:
        if not self.fitted:
            raise NotFittedError(
                f"{self.name} has static ranges and was not fitted: call fit(sample) first, or "
                "choose dynamic=True where the quantizer offers it"
            )
