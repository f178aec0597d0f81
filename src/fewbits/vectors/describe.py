"""What an index is, as plain values that JSON holds."""

from __future__ import annotations

from typing import Any

from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.segments import Segments


def describe(codes: Quantizer, rescore: Quantizer | None, segments: Segments) -> dict[str, Any]:
    """Return sizes, kinds and counts. Bytes are per vector; ids are counted apart."""
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
        "bytes_per_vector": codes.code_size if known else None,
        "rescore_bytes_per_vector": rescore.code_size if rescore and known else 0,
        "id_kind": segments.id_kind,
        "id_bytes": sum(part.ids.nbytes for part in parts),
        "calibration_rows": codes.calibration_rows,
        "segments": len(parts),
        "unsaved_rows": sum(len(part) for part in parts if part.entry is None),
    }
