"""Static ranges watched while encoding: how often codes lie at either end, against calibration.

A static linear clips what its range does not hold. Codes at 0 and at 255 tell how much: executors
count them for nothing while they make codes. Texts of another kind than the calibration texts show
as linears that clip many times as often.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes
from fewbits.errors import CalibrationWarning

# The worst linear of all-MiniLM-L6-v2, calibrated with 512 passages of English Wikipedia: others
# of them 0.00004 (mean cosine to float32 0.998), English questions, titles, abstracts and Python
# code 0.0004 to 0.0009 (0.998), German 0.0011 (0.9955), Chinese 0.007 (0.992).
FOREIGN = 1e-3
"""Share of clipped codes, beyond that of calibration, from which on a linear counts as drifted."""

ADVISED_CODES = 1 << 20  # fewer codes of a linear than this say little


class Ends(NamedTuple):
    """Codes of a linear's inputs, as the native kernels count them.

    Attributes:
        total: how many in all.
        low: how many are 0.
        high: how many are 255.
        least: the least code, 255 where there are none.
        most: the greatest code, 0 where there are none.
    """

    total: int = 0
    low: int = 0
    high: int = 0
    least: int = 255
    most: int = 0

    @classmethod
    def of(cls, codes: Bytes) -> Ends:
        """Count codes of any shape."""
        return cls(
            codes.size,
            int(np.count_nonzero(codes == 0)),
            int(np.count_nonzero(codes == 255)),
            int(codes.min(initial=255)),
            int(codes.max(initial=0)),
        )

    def plus(self, other: Ends) -> Ends:
        """Return the counts of both."""
        return Ends(
            self.total + other.total,
            self.low + other.low,
            self.high + other.high,
            min(self.least, other.least),
            max(self.most, other.most),
        )

    @property
    def clipped(self) -> float:
        """Share of codes at either end, 0 to 1: an upper bound on the share clipped."""
        return (self.low + self.high) / self.total if self.total else 0.0

    @property
    def used(self) -> float:
        """Share of the range between the least and the greatest code, 0 to 1."""
        return max(0, self.most - self.least) / 255


class Watch:
    """Adds up `Ends` per linear, from any executor and any number of threads."""

    def __init__(self) -> None:
        """Start without codes."""
        self._seen: dict[str, Ends] = {}
        self._lock = threading.Lock()

    def add(self, name: str, ends: Iterable[int]) -> None:
        """Add what was counted of a linear's codes: five integers in the order of `Ends`."""
        new = Ends(*map(int, ends))
        with self._lock:
            self._seen[name] = self._seen.get(name, Ends()).plus(new)

    def add_rows(self, names: Iterable[str], ends: NDArray[np.int64]) -> None:
        """Add int64 (linears, 5), one row per name; rows without codes are passed over."""
        for name, row in zip(names, ends, strict=False):
            if row[0]:
                self.add(name, row)

    @property
    def seen(self) -> dict[str, Ends]:
        """The counts so far, by linear."""
        with self._lock:
            return dict(self._seen)


@dataclass(frozen=True)
class LayerDrift:
    """One static linear, now and at calibration.

    Attributes:
        name: the linear.
        codes: codes seen since.
        clipped: share of them at 0 or 255.
        clipped_at_calibration: that share on the calibration texts.
        used: share of the range that codes took since.
        used_at_calibration: that share on the calibration texts.
    """

    name: str
    codes: int
    clipped: float
    clipped_at_calibration: float
    used: float
    used_at_calibration: float

    @property
    def excess(self) -> float:
        """How much larger the clipped share is than at calibration; below 0 where it shrank."""
        return self.clipped - self.clipped_at_calibration


@dataclass(frozen=True)
class DriftReport:
    """All static linears that have seen codes, in the order in which they run.

    Attributes:
        layers: one entry per linear; none where nothing static was run.
    """

    layers: tuple[LayerDrift, ...] = ()

    @property
    def worst(self) -> LayerDrift | None:
        """The linear whose clipped share grew most, if any."""
        return max(self.layers, key=lambda layer: layer.excess, default=None)

    @property
    def enough(self) -> bool:
        """Whether the worst linear has seen enough codes to tell."""
        worst = self.worst
        return worst is not None and worst.codes >= ADVISED_CODES

    @property
    def drifted(self) -> bool:
        """Whether the worst linear is past `FOREIGN` on enough codes to tell."""
        worst = self.worst
        return worst is not None and self.enough and worst.excess >= FOREIGN

    def warn_if_drifted(self) -> bool:
        """Warn if texts clip far more than the calibration texts; returns whether it did.

        Warns:
            CalibrationWarning: names the worst linear and its figures.
        """
        worst = self.worst
        if worst is None or not self.drifted:
            return False
        warnings.warn(
            f"{worst.name}: {worst.clipped:.3%} of the inputs lie at the ends of the static range, "
            f"{worst.clipped_at_calibration:.3%} did on the calibration texts: these texts are of "
            "another kind; quantize the model again with such texts, or take dynamic activations",
            CalibrationWarning,
            stacklevel=3,
        )
        return True


def drift(calibrated: Mapping[str, Ends], seen: Mapping[str, Ends]) -> DriftReport:
    """Compare counts since with those of the calibration texts.

    Args:
        calibrated: by linear, in the order in which they run.
        seen: by linear; linears that are missing, or have no codes, are left out of the report.
    """
    layers = (
        LayerDrift(name, now.total, now.clipped, before.clipped, now.used, before.used)
        for name, before in calibrated.items()
        if (now := seen.get(name, Ends())).total
    )
    return DriftReport(tuple(layers))
