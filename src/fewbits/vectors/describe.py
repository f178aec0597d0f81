"""What an index is, as plain values that JSON holds."""

from __future__ import annotations

from typing import Any

from fewbits.vectors.drift import Watched, drift
from fewbits.vectors.probing import describe_lists
from fewbits.vectors.state import State
from fewbits.vectors.twotier import candidates_rule


def describe(state: State, watched: Watched) -> dict[str, Any]:
    """Return sizes, kinds and counts. Bytes are per vector; ids are counted apart.

    "drift" is the share of itself that an added row lost in coding, over that of the calibration
    rows: 1 where rows are as ranges expect them; None where the quantizer does not measure it.
    "candidates" says how many rows a search scores again: "adaptive", a number per hit, or None.
    """
    codes, rescore, segments = state.tiers.codes, state.tiers.rescore, state.segments
    known = codes.dims is not None
    parts = list(segments)
    return {
        "rows": len(segments),
        "deleted": segments.rows - len(segments),
        "dims": codes.dims,
        "metric": codes.metric,
        "quantizer": codes.name,
        "quantizer_params": codes.params(),
        "rescore": None if rescore is None else rescore.name,
        "rescore_params": None if rescore is None else rescore.params(),
        "candidates": candidates_rule(state.tiers),
        "bytes_per_vector": codes.code_size if known else None,
        "rescore_bytes_per_vector": rescore.code_size if rescore and known else 0,
        "id_kind": segments.id_kind,
        "id_bytes": sum(part.ids.nbytes for part in parts),
        "calibration_rows": codes.calibration_rows,
        "segments": len(parts),
        "unsaved_rows": sum(len(part) for part in parts if part.entry is None),
        "clipped_fraction": watched.clipped.value,
        "drift": drift(watched.lost, codes.fit_distortion),
        **describe_lists(segments, codes),
    }
