"""What a row of trellis codes may cost, and what for."""

from __future__ import annotations

from dataclasses import dataclass

from fewbits.errors import InputError
from fewbits.vectors.trellis.plan import GROUP
from fewbits.vectors.trellis.tables import WIDTHS

_FINE = 3.5  # bits per dimension from which columns of large variance weigh more


@dataclass(frozen=True)
class Budget:
    """The parts of a row.

    Attributes:
        code_bytes: bytes of the coded columns.
        scalar_bytes: of each of the two scalars.
        exponent: columns are weighed by variance ** exponent.
        groups: of eight axes, at most so many get bits.
    """

    code_bytes: int
    scalar_bytes: int
    exponent: float
    groups: int


def budget_of(size: int, d: int, scalar_bytes: int, lists: int, axes: int | None = None) -> Budget:
    """Return what a row of `size` bytes has left for codes of d dimensions.

    Raises:
        InputError: nothing, or more than the widest codes take.
    """
    ids = 0 if lists == 1 else 1 if lists <= 256 else 2
    left = size - 2 * scalar_bytes - ids
    groups = -(-min(d, d if axes is None else axes) // GROUP)
    most = max(WIDTHS) * groups
    if not 1 <= left <= most:
        least = 2 * scalar_bytes + ids + 1
        raise InputError(
            f"a row of {d} dimensions must take {least} to {least - 1 + most} bytes "
            f"({8 * least / d:.3g} bits per dimension or more), got {size}; "
            "change bits, code_size or axes"
        )
    return Budget(left, scalar_bytes, 0.75 if 8 * size >= _FINE * d else 0.5, groups)
