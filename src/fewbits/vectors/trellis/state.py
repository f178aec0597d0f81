"""Learned state that is a `TrellisPlan`: held as plain fields, so that saving costs no code."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.vectors.form import Metric
from fewbits.vectors.learner import learned
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.trellis import bridge, fitting, specification
from fewbits.vectors.trellis.plan import TrellisPlan

if TYPE_CHECKING:
    from typing_extensions import Self

_ARRAYS = ("basis", "sigma", "widths", "centroid_table", "mh")
_NUMBERS = ("rest_weight", "s_low", "s_step", "b_low", "b_step", "residual_norm")
_LEARNED = (*_ARRAYS, *_NUMBERS, "bytes_per_scalar", "fit_distortion")


@dataclasses.dataclass(kw_only=True, eq=False)
class PlanQuantizer(Quantizer):
    """Base of the kinds whose learned state is a plan.

    Attributes:
        fit_distortion: mean share of the calibration rows' weighted energy that codes do not hold.
    """

    basis: NDArray[np.int16] | None = learned()
    sigma: Floats | None = learned()
    widths: NDArray[np.uint8] | None = learned()
    centroid_table: Floats | None = learned()
    mh: Floats | None = learned()
    rest_weight: float | None = learned()
    s_low: float | None = learned()
    s_step: float | None = learned()
    b_low: float | None = learned()
    b_step: float | None = learned()
    residual_norm: float | None = learned()
    bytes_per_scalar: int | None = learned()
    fit_distortion: float | None = learned()

    def plan(self) -> TrellisPlan:
        """Return what was learned."""
        cached: TrellisPlan | None = self.__dict__.get("_plan")
        if cached is None:
            cached = self._make_plan()
            self.__dict__["_plan"] = cached
        return cached

    def state(self) -> dict[str, Any]:
        """Return what was learned, or drawn: a rotation may be drawn otherwise elsewhere."""
        found = super().state()
        used: TrellisPlan | None = self.__dict__.get("_plan")
        return found | _fields(used) if self.basis is None and used is not None else found

    def with_state(self, state: dict[str, Any]) -> Self:
        """Take over learned state as `state` returned it. Returns self.

        Raises:
            InputError: naming what cannot have been learned.
        """
        self._forget()
        super().with_state(state)
        if self.basis is None and self.calibration_rows is None:
            self._require_nothing()
            return self
        _check_share(self.fit_distortion)
        for key in _ARRAYS:  # copies: a quantizer must outlive the file it was read from
            setattr(self, key, np.array(getattr(self, key)))
        if self.plan().d != self.dims:
            raise InputError(f"learned basis must have {self.dims} columns, got {self.plan().d}")
        return self

    def _plan_metric(self) -> Metric:
        return self.metric

    def _make_plan(self) -> TrellisPlan:
        values = {key: getattr(self, key) for key in (*_ARRAYS, *_NUMBERS)}
        for key in _NUMBERS:
            if type(values[key]) is not float:
                raise InputError(f"learned state {key!r} must be a number, got {values[key]!r}")
        return TrellisPlan(
            metric=self._plan_metric(),
            centroids=values.pop("centroid_table"),
            scalar_bytes=self.bytes_per_scalar,  # type: ignore[arg-type]
            **values,
        )

    def _learn_scalars(
        self, plan: TrellisPlan, each: int, x: Floats, extra: NDArray[np.float64] | None = None
    ) -> None:
        """Take over a plan with scalars of `each` bytes that fit the calibration rows x."""
        rows, lost = bridge.encode(x, plan, extra)
        _, s, b = specification.row_scalars(rows, plan)
        self._adopt(fitting.with_ranges(plan, each, s.astype(np.float64), b.astype(np.float64)))
        self.fit_distortion = float(lost.mean(dtype=np.float64))

    def _adopt(self, plan: TrellisPlan) -> None:
        for key, value in _fields(plan).items():
            setattr(self, key, value)
        self.__dict__["_plan"] = plan

    def _forget(self) -> None:
        self.__dict__.pop("_plan", None)
        for key in _LEARNED:
            setattr(self, key, None)

    def _require_nothing(self) -> None:
        """Refuse parts of a plan: lists and bytes would be counted by what no plan holds."""
        for key in _LEARNED:
            if getattr(self, key) is not None:
                raise InputError(f"learned {key} needs the basis that was learned with it")


def _fields(plan: TrellisPlan) -> dict[str, Any]:
    values = {key: getattr(plan, key) for key in (*_ARRAYS, *_NUMBERS) if key != "centroid_table"}
    return {**values, "centroid_table": plan.centroids, "bytes_per_scalar": plan.scalar_bytes}


def _check_share(lost: object) -> None:
    """Refuse what cannot be a mean share of energy; None is not known."""
    if lost is not None and (type(lost) is not float or not 0 <= lost <= 1):
        raise InputError(f"learned fit_distortion must be a share from 0 to 1, got {lost!r}")
