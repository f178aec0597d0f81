"""An index as files: segments, tombstones and quantizers in a `Store`.

Files of a generation, in order: one "quantizer" per tier, the "segment" files in row order, and a
"tombstones" file if rows are deleted. `docs/format.md` describes every tensor and parameter.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import FormatError, InputError
from fewbits.vectors.drift import Watched
from fewbits.vectors.ids import column_of
from fewbits.vectors.lists import attach_lists
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.registry import make_quantizer
from fewbits.vectors.segment import Segment
from fewbits.vectors.segments import Segments
from fewbits.vectors.state import State
from fewbits.vectors.store import Entry, Snapshot, Store
from fewbits.vectors.tiers import Tiers

_TIERS = ("codes", "rescore")


@dataclass
class Saved:
    """Where an index lies, and at which generation it was opened or saved."""

    store: Store
    generation: int


@dataclass
class Loaded:
    """What `load` found."""

    state: State
    watched: Watched
    saved: Saved


def save(
    folder: str | os.PathLike[str], state: State, watched: Watched, before: Saved | None
) -> Saved:
    """Write what is not on disk yet and commit. Segments learn which file they are in.

    Raises:
        ConflictError: somebody else is writing, or has saved since this index was opened.
        StorageError: the system refused; the folder holds what it held before.
    """
    tiers, segments = state.tiers, state.segments
    store = Store(folder)
    same = before is not None and _same_folder(before.store, store) and store.exists()
    base = before.generation if same and before is not None else None
    with store.writer(base) as writer:
        for tier, quantizer in zip(_TIERS, tiers, strict=False):
            writer.add("quantizer", *_quantizer_file(quantizer, tier))
        for segment in segments:
            if same and segment.entry is not None:
                writer.keep(segment.entry)
            else:
                about = {"rows": len(segment), "ids": segment.ids.kind}
                writer.add("segment", segment.tensors(), about)
        dead = {f"dead.{i}": s.dead_rows() for i, s in enumerate(segments) if s.deleted}
        if dead:
            writer.add("tombstones", dead, {})
        about = {
            "metric": tiers.codes.metric,
            **watched.to_params(),
            "next_id": segments.next_id,
            "rows": segments.rows,
        }
        snapshot = writer.commit(about)
    entries = [entry for entry in snapshot.files if entry.kind == "segment"]
    for segment, entry in zip(segments, entries, strict=True):
        segment.entry = entry
    return Saved(store, snapshot.generation)


def load(folder: str | os.PathLike[str], *, verify: bool) -> Loaded:
    """Open an index folder; arrays stay memory-mapped.

    Raises:
        FormatError: damaged, foreign, or of an unknown version.
        StorageError: there is no index, or the system refused to read.
    """
    store = Store(folder)
    snapshot = store.read(verify=verify)
    where = str(store.folder)
    tiers = _read_quantizers(snapshot, where)
    if "codes" not in tiers:
        raise FormatError(f"{where}: the quantizer of the codes is missing")
    codes, rescore = tiers["codes"], tiers.get("rescore")
    if rescore and (rescore.dims, rescore.metric) != (codes.dims, codes.metric):
        raise FormatError(f"{where}: the two tiers differ in dimensions or metric")
    if not codes.standalone:
        raise FormatError(f"{where}: {codes.name} cannot be the first tier")
    if snapshot.params.get("metric") != codes.metric:
        raise FormatError(f"{where}: the metric is not the one of the quantizer")
    watched = Watched.from_params(snapshot.params, where)
    segments = _read_segments(snapshot, codes, rescore, where)
    attach_lists(segments, codes, verify=verify, where=where)
    _apply_tombstones(snapshot, segments.list, where)
    saved = Saved(store, snapshot.generation)
    return Loaded(State(Tiers(codes, rescore), segments), watched, saved)


def _same_folder(a: Store, b: Store) -> bool:
    return os.path.realpath(a.folder) == os.path.realpath(b.folder)


def _quantizer_file(
    quantizer: Quantizer, tier: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    state = quantizer.state()
    tensors = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
    plain = {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
    about = {"tier": tier, "name": quantizer.name, "params": quantizer.params(), "state": plain}
    return tensors, about


def _read_quantizers(snapshot: Snapshot, where: str) -> dict[str, Quantizer]:
    found: dict[str, Quantizer] = {}
    for entry in snapshot.files:
        if entry.kind != "quantizer":
            continue
        tier = entry.contents.params.get("tier")
        if tier not in _TIERS or tier in found:
            raise FormatError(f"{where}/{entry.name}: tier must be 'codes' or 'rescore', once each")
        try:
            found[tier] = _read_quantizer(entry)
        except (InputError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise FormatError(f"{where}/{entry.name}: not a usable quantizer: {error}") from error
    return found


def _read_quantizer(entry: Entry) -> Quantizer:
    about, tensors = entry.contents.params, entry.contents.tensors
    quantizer = make_quantizer(about["name"], **about["params"])
    if set(tensors) & set(about["state"]):
        raise InputError("learned state is given twice, as JSON and as a tensor")
    quantizer.with_state({**about["state"], **tensors})
    if quantizer.dims is None or not quantizer.fitted:
        raise InputError("it was never fitted")
    return quantizer


def _read_segments(
    snapshot: Snapshot, codes: Quantizer, rescore: Quantizer | None, where: str
) -> Segments:
    found: list[Segment] = []
    start = 0
    for entry in snapshot.files:
        if entry.kind == "segment":
            found.append(_read_segment(entry, start, codes, rescore, f"{where}/{entry.name}"))
            start += len(found[-1])
    if len({segment.ids.kind for segment in found}) > 1:
        raise FormatError(f"{where}: segments with string ids and with integer ids")
    next_id = snapshot.params.get("next_id")
    if type(next_id) is not int or not 0 <= next_id <= 1 << 63:
        raise FormatError(f"{where}: next_id must be an integer from 0 to 2**63")
    if snapshot.params.get("rows") != start:
        raise FormatError(f"{where}: the manifest does not agree with the segments")
    return Segments(found, next_id)


def _read_segment(
    entry: Entry, start: int, codes: Quantizer, rescore: Quantizer | None, where: str
) -> Segment:
    tensors = entry.contents.tensors
    column = column_of(tensors, where)
    n = len(column)
    _check_codes(tensors.get("codes"), n, codes, where)
    if (rescore is not None) != ("rescore" in tensors):
        raise FormatError(f"{where}: the second tier does not agree with the index")
    if rescore is not None:
        _check_codes(tensors["rescore"], n, rescore, where)
    segment = Segment(
        start,
        cast("NDArray[np.uint8]", tensors["codes"]),
        cast("NDArray[np.uint8] | None", tensors.get("rescore")),
        column,
    )
    segment.entry = entry
    return segment


def _check_codes(codes: NDArray[Any] | None, n: int, quantizer: Quantizer, where: str) -> None:
    shape = (n, quantizer.code_size)
    if codes is None or codes.dtype != np.uint8 or codes.shape != shape:
        raise FormatError(f"{where}: codes must be uint8 {shape}")


def _apply_tombstones(snapshot: Snapshot, segments: list[Segment], where: str) -> None:
    for entry in snapshot.files:
        if entry.kind != "tombstones":
            continue
        for name, rows in entry.contents.tensors.items():
            number = name.removeprefix("dead.")
            if not number.isascii() or not number.isdigit() or int(number) >= len(segments):
                raise FormatError(f"{where}/{entry.name}: no segment for {name!r}")
            segment = segments[int(number)]
            if rows.dtype != np.uint32 or rows.ndim != 1:
                raise FormatError(f"{where}/{entry.name}: {name} must be uint32 (m,)")
            local = rows.astype(np.int64)
            ascending = bool(np.all(np.diff(local) > 0))
            if not ascending or not len(local) or local[-1] >= len(segment):
                raise FormatError(f"{where}/{entry.name}: {name} must be ascending row numbers")
            segment.delete(local)
