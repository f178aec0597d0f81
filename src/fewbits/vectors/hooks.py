"""What an index asks of a quantizer beyond codes; every hook has a plain default.

A second tier may code what the first tier leaves over. Such a quantizer follows the first one:
it is fitted, encodes, decodes and scores with the first tier's codes of the same rows at hand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Bytes, Floats
from fewbits.errors import InputError
from fewbits.vectors.learner import Learner

if TYPE_CHECKING:
    import numpy as np

    from fewbits.vectors.quantizer import Quantizer


class Hooks(Learner, ABC):
    """Base of quantizers: four operations, and what an index derives from them by default."""

    # A kind that only makes sense after a first tier is not offered as a quantizer.
    standalone: ClassVar[bool] = True

    @abstractmethod
    def fit(self, x: ArrayLike | Iterable[ArrayLike], *, sample: int | None = None) -> Any:  # noqa: ANN401
        """Learn ranges from calibration vectors."""

    @abstractmethod
    def encode(self, x: ArrayLike, *, threads: int | None = 1) -> Bytes:
        """Return code rows."""

    @abstractmethod
    def decode(self, codes: NDArray[np.uint8]) -> Floats:
        """Return the vectors that code rows stand for."""

    @abstractmethod
    def rescan(
        self, q: Floats, codes: Bytes, rows: NDArray[np.int64], threads: int | None
    ) -> Floats:
        """Return the scores of some rows."""

    @property
    def sample_rows(self) -> int:
        """Most calibration rows that an index keeps to fit on."""
        return 32_768

    # As a first tier.

    def remainder(self, bits: float) -> Quantizer:
        """Return a new second tier that codes what these codes leave over.

        Args:
            bits: bits per dimension that a row of the second tier takes.

        Raises:
            InputError: this kind has no residual plane.
        """
        raise InputError(
            f"{self.name} has no residual plane, so rescore_bits={bits:g} cannot be had; "
            "use rescore='float16'"
        )

    def noise(self, q: Floats) -> Floats | None:
        """Return the standard deviation of the scores' error per gated query, float32 (nq,).

        None where it is not known; then candidates are rescored by a fixed number.
        """
        return None

    @property
    def fit_distortion(self) -> float | None:
        """Mean share lost over the calibration rows; None where it is not known."""
        return None

    # As a second tier.

    def follow(self, first: Quantizer) -> None:
        """Take note of the first tier: a new one, or one that has just learned something."""

    def fit_after(self, x: Floats, first: Quantizer) -> None:
        """Learn ranges from gated calibration vectors, after `first` has learned from them."""
        self.fit(x)

    def encode_after(self, x: Floats, first_codes: Bytes, threads: int | None) -> Bytes:
        """Return code rows of vectors whose first-tier code rows are `first_codes`."""
        return self.encode(x, threads=threads)

    def decode_after(self, codes: Bytes, first_codes: Bytes) -> Floats:
        """Return the vectors that the rows of both tiers stand for together, float32 (n, d)."""
        return self.decode(codes)

    def rescan_after(
        self,
        q: Floats,
        codes: Bytes,
        rows: NDArray[np.int64],
        first_codes: Bytes,
        threads: int | None,
    ) -> Floats:
        """Return float32 (nq, m): scores of the rows rows[i, :] of both tiers; -inf if negative."""
        return self.rescan(q, codes, rows, threads)

    def refine(
        self,
        q: Floats,
        codes: list[Bytes],
        found: tuple[Floats, NDArray[np.int64]],
        reach: Floats,
        k: int,
        threads: int | None,
    ) -> tuple[Floats, NDArray[np.int64]] | None:
        """Return (scores, rows) of the k best candidates by both tiers, each (nq, k).

        None where the kind has no faster way than `rescan_after`.

        Args:
            q: gated queries (nq, d).
            codes: rows of this tier, of consecutive segments.
            found: scores and rows (nq, c) of the first tier, best first, row -1 for none.
            reach: float32 (nq,), how much too low a score of the first tier may be.
            k: hits wanted, at most c.
            threads: at most this many; None for all cores.
        """
        return None
