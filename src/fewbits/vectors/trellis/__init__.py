"""Trellis codes: data-aware codes of any width, in one tier or two, with or without clusters."""

from __future__ import annotations

from fewbits.vectors.trellis.quantizer import Trellis
from fewbits.vectors.trellis.remainder import TrellisRemainder

__all__ = ["Trellis", "TrellisRemainder"]
