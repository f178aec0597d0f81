"""A vectors room in one page, so that measuring is tested apart from what it measures."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import SimpleNamespace

import numpy as np
import pytest

from fewbits import vectors
from fewbits.errors import InputError


def _exact(q, x, metric):
    q, x = q.astype(np.float64), x.astype(np.float64)
    if metric == "l2":
        return -((q[:, None, :] - x[None, :, :]) ** 2).sum(axis=2)
    if metric == "cosine":
        q = q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-30)
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
    return q @ x.T


@dataclass
class Identity:
    metric: str = "cosine"
    name = "identity"
    fitted_on: object = field(default=None, init=False)

    def fit(self, x):
        self.fitted_on = np.asarray(x)
        return self

    @property
    def calibration_rows(self):
        return None if self.fitted_on is None else len(self.fitted_on)

    def params(self):
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    @property
    def code_size(self):
        return 4 * self.fitted_on.shape[1]

    def encode(self, x):
        return np.ascontiguousarray(x).view(np.uint8)

    def decode(self, codes):
        return codes.view(np.float32)


@dataclass
class Signs(Identity):
    keep: int = 0
    name = "signs"

    def fit(self, x):
        if self.keep > x.shape[1]:
            raise InputError("keep must not exceed the number of columns")
        return super().fit(x)

    @property
    def code_size(self):
        return (self.fitted_on.shape[1] + 7) // 8

    def encode(self, x):
        return np.packbits(x > 0, axis=1)

    def decode(self, codes):
        bits = np.unpackbits(codes, axis=1)[:, : self.fitted_on.shape[1]]
        return bits.astype(np.float32) * 2 - 1


@dataclass
class Picky(Identity):
    name = "picky"

    def fit(self, x):
        raise InputError("picky serves nobody")


KINDS = {"identity": Identity, "signs": Signs, "picky": Picky}
REGISTRY = dict(KINDS)


def quantizer_names():
    return list(REGISTRY)


def make_quantizer(name, *, metric="cosine", **params):
    if name not in REGISTRY:
        raise InputError(f"quantizer must be one of {', '.join(REGISTRY)}, got {name!r}")
    return REGISTRY[name](metric=metric, **params)


class Index:
    def __init__(self, quantizer, metric="cosine", rescore=None):
        self.quantizer, self.metric, self.rescore = quantizer, metric, rescore

    def add(self, x, ids=None):
        self.x = np.asarray(x, dtype=np.float32)
        self.codes = self.quantizer.encode(self.x)

    def search(self, q, k=10, filter=None, oversample=None, threads=None):
        single = q.ndim == 1
        q = np.atleast_2d(q)
        scores = _exact(q, self.quantizer.decode(self.codes), self.metric)
        k = min(k, len(self.x))
        if self.rescore is None:
            ids = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        else:
            pool = np.argsort(-scores, axis=1, kind="stable")[:, : k * oversample]
            pool.sort(axis=1)
            again = np.take_along_axis(_exact(q, self.x, self.metric), pool, axis=1)
            order = np.argsort(-again, axis=1, kind="stable")[:, :k]
            ids = np.take_along_axis(pool, order, axis=1)
        return SimpleNamespace(ids=ids[0] if single else ids, scores=None)

    def info(self):
        extra = 0 if self.rescore is None else 2 * self.x.shape[1]
        return {
            "bytes_per_vector": float(self.quantizer.code_size),
            "rescore_bytes_per_vector": float(extra),
        }


@pytest.fixture
def fake_room(monkeypatch):
    """Put the fake in place of the real room; returns its registry, free to change."""
    registry = dict(KINDS)
    monkeypatch.setitem(globals(), "REGISTRY", registry)
    for name, value in {
        "Index": Index,
        "quantizer_names": quantizer_names,
        "make_quantizer": make_quantizer,
        "Quantizer": Identity,
    }.items():
        monkeypatch.setattr(vectors, name, value, raising=False)
    return registry
