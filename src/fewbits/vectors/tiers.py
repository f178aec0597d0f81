"""The quantizers of an index: codes that are scanned, and perhaps a second tier after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from fewbits.arrays import Bytes, Floats, as_count
from fewbits.errors import InputError
from fewbits.vectors.form import Metric
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.registry import make_quantizer, own_quantizer


class Coded(NamedTuple):
    """What encoding n rows gives.

    Attributes:
        codes: uint8 (n, code_size).
        again: rows of the second tier, None without one.
        lost: share of each row that its code lost, float32 (n,); None where it is not known.
    """

    codes: Bytes
    again: Bytes | None
    lost: Floats | None


@dataclass(frozen=True)
class Tiers:
    """One or two quantizers of one index, which nobody else changes."""

    codes: Quantizer
    rescore: Quantizer | None = None

    def __post_init__(self) -> None:
        """Acquaint the second tier with the first."""
        self._follow()

    def __iter__(self) -> Iterator[Quantizer]:
        """Walk the quantizers, the first tier first."""
        yield self.codes
        if self.rescore is not None:
            yield self.rescore

    @property
    def fitted(self) -> bool:
        """Whether rows can be encoded."""
        return self.codes.fitted and (self.rescore is None or self.rescore.fitted)

    @property
    def sample_rows(self) -> int:
        """Most calibration rows that the kinds have a use for."""
        return max(quantizer.sample_rows for quantizer in self)

    def fit(self, sample: Floats, *, again: bool = True) -> None:
        """Learn from gated calibration rows; `again=False` keeps what was learned already."""
        if again or not self.codes.fitted:
            self.codes.fit(sample)
            self._follow()
        if self.rescore is not None and (again or not self.rescore.fitted):
            self.rescore.fit_after(sample, self.codes)
            self._follow()

    def encode(self, x: Floats, threads: int | None, again: Bytes | None = None) -> Coded:
        """Return the codes of gated rows (n, d) in every tier.

        `again` are those of the second tier where they are known.
        """
        if self.codes.dims is None:
            self.codes.bind(x.shape[1])
        codes, lost = self.codes.encode_watched(x, threads)
        if self.rescore is not None and again is None:
            again = self.rescore.encode_after(x, codes, threads)
        return Coded(codes, again, lost)

    def decode(self, codes: Bytes, again: Bytes | None) -> Floats:
        """Return vectors float32 (n, d) from the more accurate tier."""
        if self.rescore is None or again is None:
            return self.codes.decode(codes)
        return self.rescore.decode_after(again, codes)

    def state(self) -> list[dict[str, Any]]:
        """Return what was learned, to go back to with `restore`."""
        return [quantizer.state() for quantizer in self]

    def restore(self, states: list[dict[str, Any]]) -> None:
        """Go back to what `state` returned."""
        for quantizer, state in zip(self, states, strict=True):
            quantizer.with_state(state)
        self._follow()

    def blank(self) -> Tiers:
        """Return the same kinds with the same parameters, which have learned nothing."""
        fresh = [make_quantizer(quantizer.name, **quantizer.params()) for quantizer in self]
        return Tiers(*fresh)

    def _follow(self) -> None:
        if self.rescore is not None:
            self.rescore.follow(self.codes)


def make_tiers(
    quantizer: str | Quantizer,
    metric: Metric | None,
    rescore: str | Quantizer | None,
    rescore_bits: float | None,
    clusters: int | None,
    params: dict[str, Any],
) -> Tiers:
    """Return the tiers that the arguments of `Index` ask for.

    Raises:
        InputError: arguments that do not go together, or that a kind does not have.
    """
    if clusters is not None:
        params = {**params, **_as_centroids(quantizer, clusters, params)}
    codes = own_quantizer(quantizer, metric, "quantizer", **params)
    if rescore_bits is not None:
        if rescore is not None:
            raise InputError("give rescore or rescore_bits, not both: there is one second tier")
        return Tiers(codes, codes.remainder(_as_bits(rescore_bits)))
    if rescore is None:
        return Tiers(codes)
    return Tiers(codes, own_quantizer(rescore, codes.metric, "rescore"))


def _as_bits(bits: object) -> float:
    if isinstance(bits, bool) or not isinstance(bits, (int, float)):
        raise InputError(f"rescore_bits must be a number, got {type(bits).__name__} {bits!r}")
    return float(bits)


def _as_centroids(
    quantizer: str | Quantizer, clusters: int, params: dict[str, Any]
) -> dict[str, int]:
    count = as_count(clusters, "clusters", least=1)
    if not isinstance(quantizer, str):
        raise InputError("clusters needs the quantizer as a name; give the object centroids=")
    if "centroids" not in make_quantizer(quantizer).params():
        raise InputError(
            f"{quantizer} has no clusters, so clusters={count} cannot be had; use 'trellis'"
        )
    if "centroids" in params:
        raise InputError("give clusters or centroids, not both: they mean the same")
    return {"centroids": count}
