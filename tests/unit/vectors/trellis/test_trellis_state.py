"""Learned state that no fit can have made: refused by its name, from the caller and from a file."""

from __future__ import annotations

import numpy as np
import pytest
from trellisplans import learned_state, quantizer_of, remainder_of, rows

from fewbits.errors import FormatError, InputError
from fewbits.vectors import Index, Trellis
from fewbits.vectors.store import Store

D = M = 56
GOOD = learned_state()
ARRAYS = ("basis", "sigma", "widths", "centroid_table", "mh")
NUMBERS = ("rest_weight", "s_low", "s_step", "b_low", "b_step", "residual_norm")


def put(key, at, value):
    out = GOOD[key].copy()
    out[at] = value
    return {key: out}


BAD = {
    **{f"{key} missing": {key: None} for key in (*ARRAYS, *NUMBERS, "bytes_per_scalar")},
    **{f"{key} of a list": {key: GOOD[key].tolist()} for key in ARRAYS},
    **{f"{key} of float64": {key: GOOD[key].astype(np.float64)} for key in ARRAYS},
    **{f"{key} too short": {key: GOOD[key][:-1]} for key in ARRAYS},
    **{f"{key} empty": {key: GOOD[key][:0]} for key in ARRAYS},
    **{f"{key} with a dimension more": {key: GOOD[key][None]} for key in ARRAYS},
    **{f"{key} nan": put(key, 0, np.nan) for key in ("sigma", "centroid_table", "mh")},
    **{f"{key} infinite": put(key, 0, np.inf) for key in ("sigma", "centroid_table", "mh")},
    **{f"{key} huge": put(key, 0, 1e30) for key in ("sigma", "centroid_table", "mh")},
    **{f"{key} of text": {key: "1"} for key in (*NUMBERS, "bytes_per_scalar", "fit_distortion")},
    **{f"{key} nan": {key: float("nan")} for key in (*NUMBERS, "fit_distortion")},
    **{f"{key} infinite": {key: float("inf")} for key in NUMBERS},
    **{f"{key} beyond float32": {key: 1e300} for key in NUMBERS},
    **{f"{key} an integer": {key: 1} for key in NUMBERS},
    **{f"{key} negative": {key: -1.0} for key in ("s_step", "b_step", "rest_weight")},
    **{f"{key} zero": {key: 0.0} for key in ("s_step", "b_step")},
    "steps that vanish as float32": {"s_step": 1e-60},
    "residual_norm negative": {"residual_norm": -1.0},
    "fit_distortion negative": {"fit_distortion": -0.5},
    "fit_distortion beyond one": {"fit_distortion": 1.5},
    "fit_distortion of a list": {"fit_distortion": [0.5]},
    **{f"bytes_per_scalar {v!r}": {"bytes_per_scalar": v} for v in (0, 3, -1, 8, 2.0, True, [2])},
    "bytes_per_scalar an array": {"bytes_per_scalar": np.array([1, 2])},
    "basis of another byte order": {"basis": GOOD["basis"].astype(">i2")},
    "basis rows too long": put("basis", 0, 32_767),
    "basis rows a little too long": put("basis", (0, slice(0, 2)), 32_767),
    "basis with more rows than columns": {
        "basis": np.zeros((112, D), np.int16),
        "sigma": np.zeros(112, np.float32),
        "widths": np.repeat(GOOD["widths"], 2),
        "mh": np.zeros((3, 112), np.float32),
    },
    "basis of other dimensions": learned_state(64) | {"dims": D},
    "widths descending": {"widths": GOOD["widths"][::-1].copy()},
    **{f"width {w}": put("widths", -1, w) for w in (0, 5, 7, 9, 10, 11, 13, 255)},
    "sigma tiny": put("sigma", 0, 1e-13),
    "sigma negative": put("sigma", 0, -0.1),
    "sigma above 2": put("sigma", 0, 2.1),
    "more centroids than ids name": {
        "centroid_table": np.zeros((65_537, D), np.float32),
        "mh": np.zeros((65_537, M), np.float32),
    },
    "margins of a list": {"margins": [1.0]},
    "margins of another shape": {"margins": np.zeros((7, 4), np.float32)},
    "margins of float64": {"margins": np.zeros((4, 7))},
    "margins nan": {"margins": np.full((4, 7), np.nan, np.float32)},
    "dims of another width": {"dims": D - 1},
    "dims missing": {"dims": None},
    "a part without the rest": dict.fromkeys(GOOD) | {k: GOOD[k] for k in ("dims", "sigma")},
    "centroids without the rest": dict.fromkeys(GOOD)
    | {k: GOOD[k] for k in ("dims", "centroid_table")},
    "an unknown name": {"step": 1.0},
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rotation", ["pca", "random"])
@pytest.mark.parametrize("what", BAD)
def test_impossible_state_is_refused(what, rotation):
    with pytest.raises(InputError):
        Trellis(metric="l2", rotation=rotation).with_state(GOOD | BAD[what])


def save(folder, tier="codes", changes=None):
    """Save an index of two tiers, then put other state into the file of one of them."""
    first = quantizer_of("l2")
    second = remainder_of("l2", first)
    x = rows(40, D, 1000)
    index = Index(first, rescore=second)
    if changes is None:
        return index.add(x).save(folder)
    index.add(x).save(folder.with_name("good"))
    snapshot = Store(folder.with_name("good")).read()
    with Store(folder).writer(None) as writer:
        for entry in snapshot.files:
            tensors = {k: np.array(v) for k, v in entry.contents.tensors.items()}
            params = dict(entry.contents.params)
            if params.get("tier") == tier:
                arrays = {k: v for k, v in changes.items() if isinstance(v, np.ndarray)}
                plain = {k: v for k, v in changes.items() if k not in arrays}
                kept = {k: v for k, v in params["state"].items() if k not in arrays}
                params["state"] = kept | plain
                tensors = {k: v for k, v in (tensors | arrays).items() if k not in plain}
            writer.add(entry.kind, tensors, params)
        writer.commit(dict(snapshot.params))
    return None


# JSON has no NaN, and the container no other byte order: such state cannot lie in a file.
ON_DISK = [
    what
    for what, changes in BAD.items()
    if not what.endswith(("byte order", "an integer"))
    and all(isinstance(v, np.ndarray) or v == v for v in changes.values())
    and float("inf") not in [v for v in changes.values() if isinstance(v, float)]
]


@pytest.mark.parametrize("what", ON_DISK)
def test_a_file_with_impossible_state_is_refused(what, tmp_path):
    save(tmp_path / "bad", "codes", BAD[what])
    with pytest.raises(FormatError):
        Index.open(tmp_path / "bad")


@pytest.mark.parametrize("what", [w for w in ON_DISK if not w.startswith("margins")][::3])
def test_a_file_with_an_impossible_second_tier_is_refused(what, tmp_path):
    save(tmp_path / "bad", "rescore", BAD[what])
    with pytest.raises(FormatError):
        Index.open(tmp_path / "bad")


@pytest.mark.parametrize("tier", ["codes", "rescore"])
def test_the_unchanged_state_is_that_of_a_good_index(tier, tmp_path):
    save(tmp_path / "same", tier, {"residual_norm": 2.0})
    save(tmp_path / "saved")
    for name in ("same", "saved"):
        assert Index.open(tmp_path / name).search(rows(2, D), 5).ids.shape == (2, 5)


def test_the_file_of_another_fit_changes_scores_but_harms_nothing(tmp_path):
    """Foreign state of the right shape cannot be told from the right one."""
    other = learned_state()
    other["basis"] = np.roll(other["basis"], 8, axis=0)
    save(tmp_path / "bad", "codes", {"basis": other["basis"]})
    hits = Index.open(tmp_path / "bad").search(rows(2, D), 5)
    assert hits.ids.shape == (2, 5)
    assert np.isfinite(hits.scores).all()
