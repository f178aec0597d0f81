"""Trellis codes: the bits go where the variance is, and neighbouring columns share theirs."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes, Floats, as_count
from fewbits.errors import CalibrationWarning, InputError, NotFittedError
from fewbits.vectors.form import Metric
from fewbits.vectors.kernels import thread_count
from fewbits.vectors.lanes import Doubles
from fewbits.vectors.learner import learned
from fewbits.vectors.margins import check_margins, measure_margins
from fewbits.vectors.specification import normalise
from fewbits.vectors.trellis import bridge, fitting, specification
from fewbits.vectors.trellis.budget import budget_of
from fewbits.vectors.trellis.kmeans import train
from fewbits.vectors.trellis.noise import residual_deviation, score_noise
from fewbits.vectors.trellis.plan import MAX_DIMS, TrellisPlan, bare_plan
from fewbits.vectors.trellis.remainder import TrellisRemainder
from fewbits.vectors.trellis.sampling import centre, scalar_size, too_few
from fewbits.vectors.trellis.spectrum import principal_axes, random_axes
from fewbits.vectors.trellis.state import PlanQuantizer

if TYPE_CHECKING:
    from typing_extensions import Self

_DEFAULT_BITS = 2.0
_MOST_BITS = 12.0
_AXES_ROWS = 20_000  # rows that axes and scalars are learned from; more change nothing


@dataclasses.dataclass(kw_only=True, eq=False, init=False)
class Trellis(PlanQuantizer, name="trellis"):
    """Any number of bits per dimension: principal axes, bits by variance, trellis-coded columns.

    The vector is centred and rotated to its principal axes; groups of eight axes get 0 to 12 bits
    each, most where variance ** 1.5 is largest; 1 to 4 bits are coded along the best path of a
    32-state trellis, more as uniform steps. Two scalars per row correct its scale and its component
    along the centre. Their bytes, and the centroid's number, count towards the size.

    Attributes:
        bits: bits per dimension that a row takes, scalars included, 0.25 to 8; default 2.
        code_bytes: bytes that a row takes, instead of `bits`; the argument is `code_size`.
        centroids: vectors are centred on the nearest of this many k-means centroids; 1 is the mean.
            256 pay below 2 bits from 20,000 vectors on; more make clustered search possible.
        axes: at most this many axes get bits: faster scans for worse codes of the same size, for
            a first tier whose candidates are scored again.
        rotation: "pca", or "random": needs no fit, and holds for any data.
        scalar_bytes: 1, 2 or 4 per scalar; default: what bits and the data's lengths ask for.
        seed: of the random rotation and of k-means.
    """

    bits: float | None = None
    code_bytes: int | None = None
    centroids: int = 1
    axes: int | None = None
    rotation: str = "pca"
    scalar_bytes: int | None = None
    seed: int = 0

    margins: Floats | None = learned()

    def __init__(
        self,
        *,
        metric: Metric = "cosine",
        bits: float | None = None,
        code_size: int | None = None,
        centroids: int = 1,
        axes: int | None = None,
        rotation: str = "pca",
        scalar_bytes: int | None = None,
        seed: int = 0,
        code_bytes: int | None = None,
    ) -> None:
        """Take `bits` or `code_size`; `code_bytes` is what `params` calls the latter.

        Raises:
            InputError: a parameter is out of range, or two ask for different sizes.
        """
        for field in dataclasses.fields(self):
            setattr(self, field.name, None)  # nothing learned yet
        if code_size is not None and code_bytes is not None:
            raise InputError("give code_size or code_bytes, not both: they mean the same")
        self.metric, self.bits, self.rotation = metric, bits, rotation
        self.code_bytes = code_bytes if code_size is None else code_size
        self.centroids, self.axes = centroids, axes
        self.scalar_bytes, self.seed = scalar_bytes, seed
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self._check_size()
        if self.rotation not in ("pca", "random"):
            raise InputError(f"rotation must be 'pca' or 'random', got {self.rotation!r}")
        if self.scalar_bytes not in (None, 1, 2, 4):
            raise InputError(f"scalar_bytes must be 1, 2 or 4, got {self.scalar_bytes!r}")
        self.centroids = as_count(self.centroids, "centroids", least=1)
        if self.centroids > 1 << 16:
            raise InputError(f"centroids must be 1 to 65,536, got {self.centroids:,}")
        if self.centroids > 1 and self.rotation == "random":
            raise InputError("centroids are learned from data: use rotation='pca' with them")
        self.axes = None if self.axes is None else as_count(self.axes, "axes", least=1)
        self.seed = as_count(self.seed, "seed")

    def _check_size(self) -> None:
        if self.code_bytes is not None and self.bits is not None:
            raise InputError("give bits or code_size, not both: each fixes the bytes per row")
        if self.code_bytes is not None:
            self.code_bytes = as_count(self.code_bytes, "code_size", least=1)
        elif self.bits is not None:
            self.bits = _as_bits(self.bits)

    # Sizes.

    @property
    def needs_fit(self) -> bool:
        """Only a random rotation does without calibration rows."""
        return self.rotation != "random"

    def _code_size(self, d: int) -> int:
        if self.basis is not None:
            return self.plan().code_size
        return self._wanted_size(d)

    def _wanted_size(self, d: int) -> int:
        if self.code_bytes is not None:
            return self.code_bytes
        if self.bits is not None:
            return round(self.bits * d / 8)
        # Few dimensions get at least a bit each beside the scalars and the centroid's number.
        return max(round(_DEFAULT_BITS * d / 8), 8 + -(-d // 8))

    # Learning.

    def _fit(self, x: Floats) -> None:
        self._forget()
        self.margins = None
        d = x.shape[1]
        if d > MAX_DIMS:
            raise InputError(f"trellis codes take up to {MAX_DIMS:,} dimensions, got {d:,}")
        y = normalise(x) if self.metric == "cosine" else x
        table = centre(y) if self.centroids == 1 else self._train(y)
        lists = bridge.assign(x, bare_plan(table, self.metric), thread_count(None))
        rows = np.random.default_rng(self.seed).permutation(len(x))[:_AXES_ROWS]
        r = y[rows] - table[lists[rows]]
        unit, norm = fitting.unit_rows(r)
        axes, variance = self._axes(unit, len(x), d)
        each = self.scalar_bytes or scalar_size(r, self._wanted_size(d))
        budget = budget_of(self._wanted_size(d), d, each, len(table), self.axes)
        plan = fitting.build(axes, variance, table, self.metric, budget)
        self._learn_scalars(plan.replaced(residual_norm=norm), each, x[rows])
        if len(table) > 1:
            self.margins = measure_margins(
                y,
                lists.astype(np.int64),
                table,
                self.metric,
                lambda q: residual_deviation(q, self.plan()),
                seed=self.seed,
            )

    def _train(self, y: Floats) -> Floats:
        return train(y, self.centroids, spherical=False, seed=self.seed)

    def _axes(self, unit: Floats, n: int, d: int) -> tuple[Doubles, Doubles]:
        if self.rotation == "pca" and not too_few(len(unit), d):
            return principal_axes(unit)
        if self.rotation == "pca" and too_few(n, d):
            warnings.warn(
                f"{self.name} was fitted on {n} rows of {d} dimensions: too few to learn "
                "axes from, so it takes a random rotation; pass more rows to fit",
                CalibrationWarning,
                stacklevel=5,
            )
        return random_axes(d, self.seed), np.full(d, 1.0 / d)

    # The plan.

    def _make_plan(self) -> TrellisPlan:
        return self._blind_plan() if self.basis is None else super()._make_plan()

    def _blind_plan(self) -> TrellisPlan:
        if self.dims is None:
            raise NotFittedError(
                f"{self.name} does not know its dimensions yet: fit or encode first"
            )
        d = self.dims
        each = self.scalar_bytes or (2 if self.metric == "cosine" else 4)
        zeros = np.zeros((1, d), dtype=np.float32)
        variance = np.full(d, 1.0 / d)
        axes = random_axes(d, self.seed)
        plan = fitting.build(
            axes,
            variance,
            zeros,
            self.metric,
            budget_of(self._wanted_size(d), d, each, 1, self.axes),
        )
        return plan.replaced(scalar_bytes=each, s_step=1.0, b_step=1.0)

    def with_state(self, state: dict[str, Any]) -> Self:
        """Take over learned state as `state` returned it. Returns self."""
        super().with_state(state)
        if self.margins is not None:
            check_margins(self.margins)
            self.margins = np.array(self.margins)
        return self

    # Codes and scores.

    def _encode(self, x: Floats, threads: int | None) -> Bytes:
        return bridge.encode(x, self.plan(), threads=thread_count(threads))[0]

    def encode_watched(self, x: Floats, threads: int | None) -> tuple[Bytes, Floats | None]:
        """Return code rows, and the share of each row's weighted energy that they do not hold."""
        return bridge.encode(x, self.plan(), threads=thread_count(threads))

    def _decode(self, codes: Bytes) -> Floats:
        return bridge.decode(codes, self.plan())

    def _score(self, q: Floats, codes: Bytes, threads: int | None) -> Floats:
        return bridge.score(q, codes, self.plan(), thread_count(threads))

    def scan(
        self,
        q: Floats,
        codes: Bytes,
        k: int,
        rows: NDArray[np.int64] | None,
        threads: int | None,
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Scan with the native kernels."""
        return bridge.search(q, codes, self.plan(), k, rows, thread_count(threads))

    def rescan(
        self, q: Floats, codes: Bytes, rows: NDArray[np.int64], threads: int | None
    ) -> Floats:
        """Score some rows with the native kernels."""
        return bridge.score_rows(q, codes, rows, self.plan(), thread_count(threads))

    def noise(self, q: Floats) -> Floats:
        """Return the standard deviation of score errors for each query, float32 (nq,)."""
        return score_noise(q, self.plan())

    def remainder(self, bits: float) -> TrellisRemainder:
        """Return a second tier that codes what these codes leave over, at `bits` per dimension."""
        return TrellisRemainder(bits=bits, metric=self.metric, seed=self.seed)

    @property
    def sample_rows(self) -> int:
        """Most calibration rows that an index keeps to fit on: enough for every centroid."""
        return max(super().sample_rows, 64 * self.centroids)

    # Lists: rows that share a centroid.

    @property
    def lists(self) -> int:
        """Centroids that rows are assigned to, 1 for none."""
        return 1 if self.centroid_table is None else len(self.centroid_table)

    def list_of(self, codes: Bytes) -> NDArray[np.int64]:
        """Return the centroid of each code row, int64 (n,)."""
        return specification.row_lists(codes, self.plan())

    def scan_lists(
        self,
        q: Floats,
        codes: Bytes,
        offsets: NDArray[np.int64],
        alive: NDArray[np.uint8] | None,
        k: int,
        probes: int,
        margin: float,
        threads: int | None,
    ) -> tuple[Floats, NDArray[np.int64], NDArray[np.int32]]:
        """Search rows sorted by centroid, see `fewbits.vectors.trellis.bridge.search_lists`."""
        return bridge.search_lists(
            q, codes, self.plan(), offsets, alive, k, probes, margin, thread_count(threads)
        )


def _as_bits(bits: object) -> float:
    number = isinstance(bits, (int, float, np.integer, np.floating)) and not isinstance(bits, bool)
    if not number or not 0.25 <= float(bits) <= _MOST_BITS:  # type: ignore[arg-type]
        raise InputError(f"bits must be a number from 0.25 to {_MOST_BITS:g}, got {bits!r}")
    return float(bits)  # type: ignore[arg-type]
