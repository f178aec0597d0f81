"""What a trellis quantizer learned, and the constants that follow from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import MAX_ABS, Floats
from fewbits.errors import InputError
from fewbits.vectors.form import METRICS, Metric
from fewbits.vectors.lanes import Doubles, lane_dot
from fewbits.vectors.trellis.tables import COST_SCALE, SCALE, STEP, TRELLIS_WIDTHS, WIDTHS

GROUP = 8  # neighbouring columns that share a width
MAX_DIMS = 16_384  # sums of 8-bit products stay within 32 bits
BASIS_UNIT = 32_767.0
ROW_UNIT = 32_766.0  # rounding may add half a unit: the length stays below 2**15
PRODUCT_UNIT = 1.0 / (BASIS_UNIT * ROW_UNIT)
GAIN_BITS = 24


@dataclass(frozen=True, eq=False)
class TrellisPlan:
    """All that encoding, scoring and decoding need.

    m columns of the basis are coded, in stored order: groups of eight, widths ascending.

    Attributes:
        metric: "cosine", "ip" or "l2".
        basis: int16 (m, d), row j = direction of column j times 32767. Rows of zeros pad the last
            group where d is not a multiple of 8.
        sigma: float32 (m,), standard deviation of <direction, r> / |r|; 0 for padding.
        widths: uint8 (m / 8,), bits per column of each group.
        centroids: float32 (L, d), what is subtracted first; the mean where L is 1.
        mh: float32 (L, m), <direction, centroid>.
        rest_weight: mean weight of the energy outside the coded columns.
        scalar_bytes: 1 (affine), 2 (float16) or 4 (float32) per scalar.
        s_low, s_step, b_low, b_step: float32, how stored scalars map to values.
        residual_norm: root mean square of |r| over the calibration rows.
    """

    metric: Metric
    basis: NDArray[np.int16]
    sigma: Floats
    widths: NDArray[np.uint8]
    centroids: Floats
    mh: Floats
    rest_weight: float
    scalar_bytes: int
    s_low: float
    s_step: float
    b_low: float
    b_step: float
    residual_norm: float

    def __post_init__(self) -> None:
        """Check shapes, dtypes and ranges: a plan may come from a file.

        Raises:
            InputError: naming the array and what is wrong with it.
        """
        m, d = _shape(self.basis, "basis", np.int16, 2)
        if not 1 <= d <= MAX_DIMS or not 0 < m < d + GROUP or m % GROUP:
            raise InputError(
                f"basis must be (8 g, d) with 8 g < d + 8 and d <= {MAX_DIMS:,}, got {(m, d)}"
            )
        lists = _shape(self.centroids, "centroids", np.float32, 2)[0]
        wanted = {"sigma": (m,), "widths": (m // GROUP,), "centroids": (lists, d), "mh": (lists, m)}
        for key, shape in wanted.items():
            kind = np.uint8 if key == "widths" else np.float32
            got = _shape(getattr(self, key), key, kind, len(shape))
            if got != shape:
                raise InputError(f"{key} must have shape {shape}, got {got}")
        if not 1 <= lists <= 1 << 16:
            raise InputError(f"centroids must be 1 to 65,536, got {lists}")
        self._check_values()

    def _check_values(self) -> None:
        if self.metric not in METRICS:
            raise InputError(f"metric must be one of {', '.join(METRICS)}, got {self.metric!r}")
        rank = [WIDTHS.index(w) if w in WIDTHS else -1 for w in self.widths.tolist()]
        if min(rank) < 0 or rank != sorted(rank):
            raise InputError(f"widths must ascend and be from {WIDTHS}, got {self.widths.tolist()}")
        if not np.all((self.sigma == 0) | ((self.sigma >= 1e-12) & (self.sigma <= 2))):
            raise InputError("sigma must be 0, or from 1e-12 to 2: columns of unit vectors")
        wide = self.basis.astype(np.float64)
        # A longer row could leave the 32-bit range that its products are proved for.
        if np.einsum("ij,ij->i", wide, wide).max() > (BASIS_UNIT + 0.5 * self.d**0.5 + 1) ** 2:
            raise InputError("basis must have rows of length 32767 at most")
        self._check_numbers()

    def _check_numbers(self) -> None:
        for key in ("centroids", "mh"):
            if not np.all(np.abs(getattr(self, key)) <= 4 * MAX_ABS):  # NaN is not
                raise InputError(f"{key} must be finite, within +-4e15")
        if type(self.scalar_bytes) is not int or self.scalar_bytes not in (1, 2, 4):
            raise InputError(f"scalar_bytes must be 1, 2 or 4, got {self.scalar_bytes!r}")
        for key in ("rest_weight", "s_low", "s_step", "b_low", "b_step", "residual_norm"):
            if not abs(getattr(self, key)) <= float(np.finfo(np.float32).max):  # NaN is not
                raise InputError(f"{key} must be a finite float32, got {getattr(self, key)!r}")
        if not (np.float32(self.s_step) > 0 and np.float32(self.b_step) > 0):
            raise InputError("s_step and b_step must be positive")
        if self.rest_weight < 0 or self.residual_norm < 0:
            raise InputError("rest_weight and residual_norm must not be negative")

    def __getstate__(self) -> dict[str, object]:
        """Leave out what is made again where it is needed, the native counterpart above all."""
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_")}

    @property
    def d(self) -> int:
        """Dimensions of the vectors."""
        return int(self.basis.shape[1])

    @property
    def m(self) -> int:
        """Coded columns."""
        return int(self.basis.shape[0])

    @property
    def id_bytes(self) -> int:
        """Bytes of the centroid's number in a row."""
        lists = len(self.centroids)
        return 0 if lists == 1 else 1 if lists <= 256 else 2

    @property
    def code_size(self) -> int:
        """Bytes per row."""
        return int(self.widths.sum()) + self.id_bytes + 2 * self.scalar_bytes

    @cached_property
    def bits(self) -> NDArray[np.int64]:
        """Bits of each column, (m,)."""
        return np.repeat(self.widths.astype(np.int64), GROUP)

    @cached_property
    def low_columns(self) -> NDArray[np.int64]:
        """Columns of 12 bits: their low nibbles follow all others as columns of their own."""
        return np.flatnonzero(self.bits == 12)

    @cached_property
    def gain(self) -> NDArray[np.int64]:
        """Value of one code step per stored column and low nibble, times 2**24: (m + m12,)."""
        unit = {bits: SCALE[bits] for bits in TRELLIS_WIDTHS}
        unit |= {6: STEP[6] / 2, 8: STEP[8], 12: 16 * STEP[12]}
        high = self.sigma.astype(np.float64) * np.array([unit[b] for b in self.bits.tolist()])
        low = self.sigma[self.low_columns].astype(np.float64) * STEP[12]
        return np.rint(np.concatenate([high, low]) * 2.0**GAIN_BITS).astype(np.int64)

    @cached_property
    def off2(self) -> NDArray[np.int64]:
        """Twice the stored value that stands for 0, per stored column and low nibble."""
        high = np.where(self.bits >= 8, 255, 256)
        return np.concatenate([high, np.full(len(self.low_columns), 15)])

    @cached_property
    def kq(self) -> Floats:
        """What integer projections are multiplied by to give code coordinates, (m,)."""
        mult = {bits: COST_SCALE[bits] / SCALE[bits] for bits in TRELLIS_WIDTHS}
        mult |= {bits: 1 / STEP[bits] for bits in (6, 8, 12)}
        wide = self.sigma.astype(np.float64)
        factor = np.array([mult[b] for b in self.bits.tolist()])
        out = np.zeros(self.m)
        np.divide(factor, (BASIS_UNIT * ROW_UNIT) * wide, out=out, where=wide > 0)
        return out.astype(np.float32)

    @cached_property
    def squares(self) -> Doubles:
        """Squared lengths of the centroids, (L,)."""
        return lane_dot(self.centroids, self.centroids)

    @cached_property
    def inverse_squares(self) -> Doubles:
        """1 / squares, 0 where a centroid is too short to give a direction."""
        out = np.zeros_like(self.squares)
        usable = (self.squares > 0) & (self.squares >= 1e-12 * self.squares.max())
        np.divide(1.0, self.squares, out=out, where=usable)
        return out

    @cached_property
    def centroids16(self) -> NDArray[np.int16]:
        """The centroids' directions as integers, (L, d)."""
        return directions16(self.centroids.astype(np.float64), np.sqrt(self.squares))

    def replaced(self, **changes: object) -> TrellisPlan:
        """Return a plan with other values."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def bare_plan(centroids: Floats, metric: Metric) -> TrellisPlan:
    """Return a plan that can only assign rows to centroids (L, d)."""
    lists, d = centroids.shape
    return TrellisPlan(
        metric=metric,
        basis=np.zeros((GROUP, d), dtype=np.int16),
        sigma=np.zeros(GROUP, dtype=np.float32),
        widths=np.ones(1, dtype=np.uint8),
        centroids=centroids,
        mh=np.zeros((lists, GROUP), dtype=np.float32),
        rest_weight=0.0,
        scalar_bytes=4,
        s_low=0.0,
        s_step=1.0,
        b_low=0.0,
        b_step=1.0,
        residual_norm=1.0,
    )


def directions16(wide: Doubles, lengths: Doubles) -> NDArray[np.int16]:
    """Return rows of length 32766 rounded to integers; rows of length 0 stay 0."""
    factor = np.zeros_like(lengths)
    np.divide(ROW_UNIT, lengths, out=factor, where=lengths > 0)
    return np.rint(wide * factor[:, None]).astype(np.int16)


def _shape(value: object, key: str, dtype: type, ndim: int) -> tuple[int, ...]:
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != ndim:
        raise InputError(f"{key} must be a {np.dtype(dtype)} array with {ndim} dimensions")
    return tuple(int(size) for size in value.shape)
