"""Encoders: texts in, float32 vectors out; original models in, small ones out."""

from __future__ import annotations

from fewbits.models.encoder import Encoder
from fewbits.models.locate import default_model
from fewbits.models.ptq import quantize_model
from fewbits.models.recipe import Recipe
from fewbits.models.spec import EncoderSpec

__all__ = ["Encoder", "EncoderSpec", "Recipe", "default_model", "quantize_model"]
