"""Crafted indexes with valid checksums but impossible content: refused, or harmless."""

from __future__ import annotations

import contextlib
import tracemalloc

import numpy as np
import pytest
from variants import sample

from fewbits.errors import FormatError, InputError
from fewbits.vectors import Index
from fewbits.vectors.store import Store

D, N = 8, 300


class Draft:
    """The parts of a valid index; a mutation changes some, `write` makes a folder of them."""

    def __init__(self, folder, rescore=None):
        Index("int8", metric="ip", rescore=rescore).add(sample(N, D)).save(folder / "good")
        snapshot = Store(folder / "good").read()
        self.folder = folder / "bad"
        self.params = dict(snapshot.params)
        self.files = [
            [
                e.kind,
                {k: np.array(v) for k, v in e.contents.tensors.items()},
                dict(e.contents.params),
            ]
            for e in snapshot.files
        ]

    def of(self, kind):
        return next(file for file in self.files if file[0] == kind)

    def write(self):
        with Store(self.folder).writer(None) as writer:
            for kind, tensors, params in self.files:
                writer.add(kind, tensors, params)
            writer.commit(self.params)
        return self.folder


def quantizer(**changes):
    return lambda draft: draft.of("quantizer")[2].update(changes)


def parameter(**changes):
    return lambda draft: draft.of("quantizer")[2]["params"].update(changes)


def state(**changes):
    return lambda draft: draft.of("quantizer")[2]["state"].update(changes)


def tensor(name, value):
    def change(draft):
        if value is None:
            del draft.of("quantizer")[1][name]
        else:
            draft.of("quantizer")[1][name] = value

    return change


def segment(**changes):
    def change(draft):
        for name, value in changes.items():
            if value is None:
                del draft.of("segment")[1][name]
            else:
                draft.of("segment")[1][name] = value

    return change


def manifest(**changes):
    return lambda draft: draft.params.update(changes)


def tombstones(**tensors):
    return lambda draft: draft.files.append(
        ["tombstones", {k.replace("_", "."): v for k, v in tensors.items()}, {}]
    )


def without(kind):
    def change(draft):
        draft.files = [file for file in draft.files if file[0] != kind]

    return change


def twice(kind):
    return lambda draft: draft.files.append(draft.of(kind))


def rows(*values):
    return np.array(values, np.uint32)


U8 = np.uint8
BAD = {
    "unknown quantizer": quantizer(name="int3"),
    "quantizer name of a list": quantizer(name=["int8"]),
    "no params": lambda d: d.of("quantizer")[2].pop("params"),
    "no state": lambda d: d.of("quantizer")[2].pop("state"),
    "params of a list": quantizer(params=[1]),
    "state of a list": quantizer(state=[1]),
    "state of text": quantizer(state="mean"),
    "unknown tier": quantizer(tier="third"),
    "tier of a number": quantizer(tier=5),
    "unknown parameter": parameter(bits=3),
    "metric of a number": parameter(metric=5),
    "unknown metric": parameter(metric="dot"),
    "another metric": parameter(metric="l2"),
    "granularity of a number": parameter(granularity=5),
    "symmetric of text": parameter(symmetric="no"),
    "center of a list": parameter(center=[]),
    "seed negative": parameter(seed=-4),
    "observer of a list": parameter(observer=["mse"]),
    "rounding of null": parameter(rounding=None),
    "dims of text": state(dims="8"),
    "dims zero": state(dims=0),
    "dims negative": state(dims=-8),
    "dims of another width": state(dims=16),
    "dims that would fill the memory": state(dims=2**40),
    "dims null": state(dims=None),
    "dims true": state(dims=True),
    "calibration rows of text": state(calibration_rows="x"),
    "calibration rows negative": state(calibration_rows=-1),
    "never calibrated": state(calibration_rows=None),
    "state that is not known": state(scale=3),
    "mean in JSON": state(mean=[0.0] * D),
    "no step": tensor("step", None),
    "no mean": tensor("mean", None),
    "step nan": tensor("step", np.full(D, np.nan, np.float32)),
    "step negative": tensor("step", np.full(D, -1, np.float32)),
    "step zero": tensor("step", np.zeros(D, np.float32)),
    "step infinite": tensor("step", np.full(D, np.inf, np.float32)),
    "step of float64": tensor("step", np.ones(D)),
    "step of two dimensions": tensor("step", np.ones((1, D), np.float32)),
    "step too short": tensor("step", np.ones(D - 1, np.float32)),
    "zero out of range": tensor("zero", np.full(D, 1e9, np.float32)),
    "mean huge": tensor("mean", np.full(D, 1e30, np.float32)),
    "a tensor named dims": tensor("dims", np.array([D])),
    "a tensor that is not known": tensor("other", np.zeros(3, np.float32)),
    "no quantizer": without("quantizer"),
    "two quantizers of the codes": twice("quantizer"),
    "codes of int8": segment(codes=np.zeros((N, D), np.int8)),
    "codes too wide": segment(codes=np.zeros((N, D + 1), U8)),
    "codes too narrow": segment(codes=np.zeros((N, D - 1), U8)),
    "codes of one dimension": segment(codes=np.zeros(N * D, U8)),
    "codes too few": segment(codes=np.zeros((N - 1, D), U8)),
    "codes too many": segment(codes=np.zeros((N + 1, D), U8)),
    "no codes": segment(codes=None),
    "no ids": segment(ids=None),
    "ids of int32": segment(ids=np.arange(N, dtype=np.int32)),
    "ids too few": segment(ids=np.arange(N - 1)),
    "ids of two dimensions": segment(ids=np.arange(N)[:, None]),
    "id offsets that wrap": segment(
        ids=None,
        id_offsets=np.array([0, 2**63 - 1, -(2**63), -1, *range(N - 3)]),
        id_text=np.full(N - 4, 97, U8),
    ),
    "id text that is not UTF-8": segment(
        ids=None, id_offsets=np.arange(N + 1), id_text=np.full(N, 0xFF, U8)
    ),
    "a second tier without a quantizer": segment(rescore=np.zeros((N, 2 * D), U8)),
    "segments of unlike ids": lambda d: d.files.append(
        [
            "segment",
            {
                "codes": np.zeros((1, D), U8),
                "id_offsets": np.array([0, 1]),
                "id_text": np.full(1, 97, U8),
            },
            {},
        ]
    ),
    "the segment twice": twice("segment"),
    "no segment": without("segment"),
    "no row count": manifest(rows=None),
    "a wrong row count": manifest(rows=N + 1),
    "rows of text": manifest(rows="300"),
    "no next id": manifest(next_id=None),
    "next id of text": manifest(next_id="300"),
    "next id negative": manifest(next_id=-1),
    "next id true": manifest(next_id=True),
    "next id beyond int64": manifest(next_id=2**63 + 1),
    "metric in the manifest": manifest(metric="l2"),
    "metric in the manifest of a list": manifest(metric=[]),
    "clipped null": manifest(clipped=None),
    "clipped of text": manifest(clipped="none"),
    "clipped empty": manifest(clipped=[]),
    "clipped too long": manifest(clipped=[0.0, 0, 0]),
    "clipped of lists": manifest(clipped=[[], []]),
    "clipped beyond one": manifest(clipped=[1.5, 3]),
    "clipped negative": manifest(clipped=[0.5, -3]),
    "clipped of an object": manifest(clipped={"0": 1}),
    "tombstones of no segment": tombstones(dead_1=rows(0)),
    "tombstones of a negative segment": tombstones(**{"dead_-1": rows(0)}),
    "tombstones of text": tombstones(dead_x=rows(0)),
    "tombstones empty": tombstones(dead_0=rows()),
    "tombstones out of range": tombstones(dead_0=rows(N)),
    "tombstones descending": tombstones(dead_0=rows(5, 4)),
    "tombstones twice": tombstones(dead_0=rows(5, 5)),
    "tombstones of int64": tombstones(dead_0=np.array([1, 2])),
    "tombstones that wrap": tombstones(dead_0=np.array([0, 2**63 - 1, -(2**63), -1, 5])),
    "tombstones of floats": tombstones(dead_0=np.array([0.5, np.nan])),
    "tombstones of two dimensions": tombstones(dead_0=np.array([[1, 2]], np.uint32)),
}


@pytest.mark.parametrize("what", BAD)
def test_impossible_content_is_refused_without_taking_memory(what, tmp_path):
    draft = Draft(tmp_path)
    BAD[what](draft)
    folder = draft.write()
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            Index.open(folder)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


BAD_TIERS = {
    "of another width": lambda d: d.files[1][2]["state"].update(dims=16),
    "of another metric": lambda d: d.files[1][2]["params"].update(metric="l2"),
    "missing": lambda d: d.files.pop(1),
    "without codes": lambda d: d.of("segment")[1].pop("rescore"),
    "with codes too wide": lambda d: d.of("segment")[1].update(rescore=np.zeros((N, 99), U8)),
}


@pytest.mark.parametrize("what", BAD_TIERS)
def test_a_second_tier_that_does_not_fit_is_refused(what, tmp_path):
    draft = Draft(tmp_path, rescore="float16")
    assert draft.files[1][2]["tier"] == "rescore"
    BAD_TIERS[what](draft)
    with pytest.raises(FormatError):
        Index.open(draft.write())


def test_the_unchanged_draft_is_a_good_index(tmp_path):
    for rescore in (None, "float16"):
        folder = tmp_path / str(rescore)
        folder.mkdir()
        assert len(Index.open(Draft(folder, rescore).write())) == N


HARMLESS = {
    "random codes": lambda c, rng: rng.integers(0, 256, c.shape).astype(U8),
    "all ones": lambda c, rng: np.full_like(c, 255),
    "all zeros": lambda c, rng: np.zeros_like(c),
    "factors nan": lambda c, rng: _with_factors(c, np.nan),
    "factors infinite": lambda c, rng: _with_factors(c, np.inf),
    "factors minus infinite": lambda c, rng: _with_factors(c, -np.inf),
    "factors huge": lambda c, rng: _with_factors(c, 3e38),
}


def _with_factors(codes, value):
    out = codes.copy()
    width = codes.shape[1] // 2 // 4 * 4
    out[:, codes.shape[1] - width :] = np.full(width // 4, value, "<f4").view(U8)
    return out


@pytest.mark.parametrize("rescore", [None, "int8"])
@pytest.mark.parametrize("kind", ["binary", "ternary", "int4", "int8", "float16", "trellis"])
@pytest.mark.parametrize("what", HARMLESS)
def test_codes_that_no_encoder_wrote_are_searched_without_harm(what, kind, rescore, tmp_path):
    index = Index(kind, metric="l2", rescore=rescore).add(sample(N, 32))
    index.save(tmp_path / "good")
    snapshot = Store(tmp_path / "good").read()
    rng = np.random.default_rng(0)
    with Store(tmp_path / "bad").writer(None) as writer:
        for entry in snapshot.files:
            tensors = {k: np.array(v) for k, v in entry.contents.tensors.items()}
            for name in ("codes", "rescore"):
                if name in tensors:
                    tensors[name] = HARMLESS[what](tensors[name], rng)
            writer.add(entry.kind, tensors, entry.contents.params)
        writer.commit(snapshot.params)
    bad = Index.open(tmp_path / "bad")
    with np.errstate(all="ignore"):
        for k in (1, 10, N):
            hits = bad.search(sample(3, 32, seed=1), k)
            assert hits.ids.shape == (3, k)
            assert all(len(set(line)) == k for line in hits.ids.tolist())
        bad.search(sample(3, 32, seed=1), 5, filter=range(50))
        with contextlib.suppress(InputError):  # bytes that stand for no five base-3 digits
            assert bad.decode([0, 1]).shape == (2, 32)
