"""A second tier: trellis codes of what a first tier's codes left over."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Bytes, Floats, as_matrix
from fewbits.errors import InputError, NotFittedError
from fewbits.vectors.form import Metric
from fewbits.vectors.kernels import thread_count
from fewbits.vectors.lanes import Doubles, lane_dot
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.specification import normalise
from fewbits.vectors.trellis import bridge, fitting, specification
from fewbits.vectors.trellis.budget import budget_of
from fewbits.vectors.trellis.plan import TrellisPlan
from fewbits.vectors.trellis.sampling import COARSE
from fewbits.vectors.trellis.spectrum import principal_axes
from fewbits.vectors.trellis.state import PlanQuantizer


@dataclasses.dataclass(kw_only=True, eq=False)
class TrellisRemainder(PlanQuantizer, name="trellis-remainder", standalone=False):
    """Codes the difference between vectors and what their first tier decodes to.

    With both tiers the estimate is <q, x> ~ <q, first> + s <q, code>; for l2 the scalar b of this
    tier holds |x|**2 exactly, up to its rounding.

    Attributes:
        bits: bits per dimension that a row of this tier takes, its scalars included.
        seed: as for the first tier.
    """

    bits: float = 4.0
    seed: int = 0

    def follow(self, first: Quantizer) -> None:
        """Name the tier whose codes these ones complete."""
        self.__dict__["_first"] = first

    def fit_after(self, x: ArrayLike, first: Quantizer) -> None:
        """Learn from calibration rows (n, d), encoded by the fitted first tier."""
        self.follow(first)
        self.fit(x)

    def encode_after(self, x: ArrayLike, first_codes: Bytes, threads: int | None) -> Bytes:
        """Return code rows of this tier for rows x whose first tier is known."""
        self._require_fitted()
        left, extra = self._left_over(as_matrix(x, dims=self.dims), first_codes)
        return bridge.encode(left, self.plan(), extra, thread_count(threads))[0]

    def rescan_after(
        self,
        q: Floats,
        codes: Bytes,
        rows: NDArray[np.int64],
        first_codes: Bytes,
        threads: int | None,
    ) -> Floats:
        """Return float32 (nq, m): scores by both tiers; -inf where the row number is negative."""
        coarse = self._first.rescan(q, first_codes, rows, threads)
        fine = bridge.score_rows(q, codes, rows, self._scoring(), thread_count(threads))
        return coarse + (fine + self._offset(q)[:, None])

    def refine(
        self,
        q: Floats,
        codes: list[Bytes],
        found: tuple[Floats, NDArray[np.int64]],
        reach: Floats,
        k: int,
        threads: int | None,
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Score candidates of the first tier again with the native kernels."""
        offset = self._offset(q)
        return bridge.refine(
            q, codes, self._scoring(), *found, reach, offset, k, thread_count(threads)
        )

    def _offset(self, q: Floats) -> Floats:
        """What is added to scores of this tier: those of l2 start at -|q|**2, as the first's do."""
        if self.metric == "l2":
            return lane_dot(q, q).astype(np.float32)
        return np.zeros(len(q), dtype=np.float32)

    def _scoring(self) -> TrellisPlan:
        """The plan with the index's own metric, which normalises queries for cosine."""
        kept: TrellisPlan | None = self.__dict__.get("_scoring_plan")
        if kept is None or kept.basis is not self.plan().basis:
            kept = self.plan().replaced(metric=self.metric)
            self.__dict__["_scoring_plan"] = kept
        return kept

    def decode_after(self, codes: Bytes, first_codes: Bytes) -> Floats:
        """Return the vectors that both tiers stand for, float32 (n, d)."""
        return self._first.decode(first_codes) + self.decode(codes)

    @property
    def _first(self) -> Quantizer:
        first: Quantizer | None = self.__dict__.get("_first")
        if first is None:
            raise NotFittedError(
                f"{self.name} codes what a first tier left over: use Index(..., rescore_bits=)"
            )
        return first

    def _plan_metric(self) -> Metric:
        return "l2" if self.metric == "l2" else "ip"

    def _left_over(self, x: Floats, first_codes: Bytes) -> tuple[Floats, Doubles | None]:
        """Return (x - decoded, what l2 adds to b).

        The first tier's l2 score is -|q - c|**2 - nu + 2 s v, with centroid c and stored nu. For
        the sum of both to be -|q|**2 - |x|**2 + 2 <q, decoded>, b has to be |x|**2 - |c|**2 - nu.
        """
        y = normalise(x) if self.metric == "cosine" else x
        left = y - self._first.decode(first_codes)
        if self.metric != "l2":
            return left, None
        first = self._first
        assert isinstance(first, PlanQuantizer)
        lists, _, nu = specification.row_scalars(first_codes, first.plan())
        wanted = lane_dot(y, y) - first.plan().squares[lists] - nu.astype(np.float64)
        return left, wanted - lane_dot(left, left)

    def _fit(self, x: Floats) -> None:
        self._forget()
        left, extra = self._left_over(x, self._first.encode(x, threads=None))
        unit, norm = fitting.unit_rows(left)
        d = x.shape[1]
        if len(unit) == 0:
            axes, variance = np.eye(d), np.full(d, 1.0 / d)
        else:
            axes, variance = principal_axes(unit)
        each = 1 if self.bits <= COARSE and self.metric != "l2" else 2
        nothing = np.zeros((1, d), dtype=np.float32)
        budget = budget_of(round(self.bits * d / 8), d, each, 1)
        plan = fitting.build(axes, variance, nothing, self._plan_metric(), budget)
        self._learn_scalars(plan.replaced(residual_norm=norm), each, left, extra)

    def _encode(self, x: Floats, threads: int | None) -> Bytes:
        raise InputError(
            f"{self.name} cannot encode vectors alone: it needs the codes of the first tier; "
            "use Index(..., rescore_bits=)"
        )

    def _decode(self, codes: Bytes) -> Floats:
        return bridge.decode(codes, self.plan())

    def _code_size(self, d: int) -> int:
        return self.plan().code_size if self.basis is not None else round(self.bits * d / 8)
