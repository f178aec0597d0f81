"""Encoders: a checkpoint folder in, float32 vectors out."""

from __future__ import annotations

from fewbits.models.encoder import Encoder, default_model
from fewbits.models.spec import EncoderSpec

__all__ = ["Encoder", "EncoderSpec", "default_model"]
