"""How unlike the calibration rows the added rows are, from figures that encoding gives for free."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from fewbits.errors import CalibrationWarning, FormatError

# Rows of the source of the calibration rows lose 1.0 to 1.3 times as much as those did; up to 1.55
# where these were few. Rows of a source that they do not cover lose 1.8 to 20 times as much.
FOREIGN = 1.6
_ADVISED_ROWS = 256  # fewer rows say little about what they were drawn from


class Mean(NamedTuple):
    """A running mean: of `rows` rows so far."""

    value: float = 0.0
    rows: int = 0

    def plus(self, other: Mean) -> Mean:
        """Return the mean over the rows of both."""
        rows = self.rows + other.rows
        if rows == 0:
            return self
        return Mean((self.value * self.rows + other.value * other.rows) / rows, rows)


class Watched(NamedTuple):
    """What was seen of the rows added.

    Attributes:
        clipped: share of values outside the range of the codes, over a sample of the rows.
        lost: share of a row that its code lost, over all rows; none where it is not known.
    """

    clipped: Mean = Mean()
    lost: Mean = Mean()

    def plus(self, other: Watched) -> Watched:
        """Return what was seen of the rows of both."""
        return Watched(self.clipped.plus(other.clipped), self.lost.plus(other.lost))

    def to_params(self) -> dict[str, Any]:
        """Return plain values for the manifest."""
        clipped, lost = self.clipped, self.lost
        return {"clipped": [clipped.value, clipped.rows], "lost": [lost.value, lost.rows]}

    @classmethod
    def from_params(cls, params: dict[str, Any], where: str) -> Watched:
        """Read what `to_params` wrote; "lost" may be missing.

        Raises:
            FormatError: not a share and a number of rows.
        """
        given = {"clipped": params.get("clipped"), "lost": params.get("lost", [0.0, 0])}
        found = {}
        for key, pair in given.items():
            share, rows = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
            right = isinstance(share, (int, float)) and 0 <= share <= 1
            if not right or type(rows) is not int or rows < 0:
                raise FormatError(f"{where}: {key} must be a share and a number of rows")
            found[key] = Mean(float(share or 0), rows)
        return cls(**found)


def drift(lost: Mean, of_fit: float | None) -> float | None:
    """Return what added rows lost over what calibration rows lost: 1 where they are alike.

    None where either is not known.
    """
    if of_fit is None or of_fit <= 0 or lost.rows == 0:
        return None
    return lost.value / of_fit


def warn_if_foreign(lost: Mean, of_fit: float | None) -> bool:
    """Warn if many rows were added that are unlike the calibration rows; returns whether it did.

    Warns:
        CalibrationWarning: 256 rows or more lost at least `FOREIGN` times as much.
    """
    ratio = drift(lost, of_fit) if lost.rows >= _ADVISED_ROWS else None
    if ratio is None or ratio < FOREIGN:
        return False
    warnings.warn(
        f"the {lost.rows:,} rows added lose {ratio:.2f} times as much as the rows that ranges were "
        "learned from: they are of another kind; call refit() or start with a better sample",
        CalibrationWarning,
        stacklevel=3,
    )
    return True
