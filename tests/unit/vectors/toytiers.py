"""Rounded vectors, and a second tier that codes what rounding left over, in plain numpy."""

from __future__ import annotations

import dataclasses

import numpy as np

from fewbits.errors import InputError
from fewbits.vectors.learner import learned
from fewbits.vectors.quantizer import Quantizer


def even(n, d, seed=0):
    """Return float32 (n, d), values from -1 to 1 all alike: what "toy" codes without clipping."""
    return np.random.default_rng([seed, d]).uniform(-1, 1, (n, d)).astype(np.float32)


def make_kinds():  # noqa: C901 - two small classes
    """Register "toy" and "toy-rest" and return their classes; for use with `registry`."""

    @dataclasses.dataclass(kw_only=True, eq=False)
    class Toy(Quantizer, name="toy"):
        levels: int = 4
        centroids: int = 1
        low: float | None = learned()
        step: float | None = learned()
        fit_distortion: float | None = learned()

        def _fit(self, x):
            low, high = float(x.min()), float(x.max())
            self.low, self.step = low, (high - low) / (self.levels - 1) or 1.0
            self.dims = x.shape[1]
            self.fit_distortion = float(self.encode_watched(x, 1)[1].mean())

        def _encode(self, x, threads):
            at = np.rint((x - self.low) / self.step)
            return np.clip(at, 0, self.levels - 1).astype(np.uint8)

        def encode_watched(self, x, threads):
            codes = self._encode(x, threads)
            lost = ((x - self._decode(codes)) ** 2).sum(axis=1) / (x**2).sum(axis=1)
            return codes, np.minimum(lost, 1).astype(np.float32)

        def _decode(self, codes):
            return (codes.astype(np.float64) * self.step + self.low).astype(np.float32)

        def _code_size(self, d):
            return d

        def noise(self, q):
            return (np.linalg.norm(q, axis=1) * self.step / np.sqrt(12)).astype(np.float32)

        def remainder(self, bits):
            return ToyRest(bits=bits, metric=self.metric)

    @dataclasses.dataclass(kw_only=True, eq=False)
    class ToyRest(Quantizer, name="toy-rest", standalone=False):
        bits: float = 8.0
        step: float | None = learned()

        def follow(self, first):
            self.__dict__["first"] = first

        def fit_after(self, x, first):
            assert self.__dict__["first"] is first
            self.fit(x)

        def _fit(self, x):
            first = self.__dict__["first"]
            self.step = float(first.step * 2.0**-self.bits)

        def encode_after(self, x, first_codes, threads):
            left = x - self.__dict__["first"].decode(first_codes)
            return np.clip(np.rint(left / self.step), -32768, 32767).astype("<i2").view(np.uint8)

        def _encode(self, x, threads):
            raise InputError("needs the first tier")

        def _decode(self, codes):
            return codes.view("<i2").astype(np.float32) * np.float32(self.step)

        def decode_after(self, codes, first_codes):
            return self.__dict__["first"].decode(first_codes) + self._decode(codes)

        def rescan_after(self, q, codes, rows, first_codes, threads):
            out = np.full(rows.shape, -np.inf, np.float32)
            for i, line in enumerate(rows):
                there = line >= 0
                x = self.decode_after(codes[line[there]], first_codes[line[there]])
                out[i, there] = x @ q[i]
            return out

        def _code_size(self, d):
            return 2 * d

    return Toy, ToyRest
