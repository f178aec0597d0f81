"""Encoders as ONNX files; needs the package `onnx`.

Importing this room without it raises ModelError.
"""

from __future__ import annotations

from fewbits.errors import ModelError

try:
    import onnx as _onnx  # noqa: F401 - asked for here, so that one message says what is missing
except ImportError as error:
    raise ModelError(
        "to export ONNX files the package onnx must be installed: `pip install 'fewbits[onnx]'`"
    ) from error

from fewbits.models.onnx.export import export_onnx

__all__ = ["export_onnx"]
