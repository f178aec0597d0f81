"""Embeddings in, codes out, search over codes."""

from fewbits.vectors.binary import Binary
from fewbits.vectors.float16 import Float16
from fewbits.vectors.hits import Hits
from fewbits.vectors.index import Index
from fewbits.vectors.int4 import Int4
from fewbits.vectors.int8 import Int8
from fewbits.vectors.kernels import set_simd_level, simd_level, simd_levels
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.registry import make_quantizer, quantizer_names
from fewbits.vectors.ternary import Ternary
from fewbits.vectors.trellis import Trellis

__all__ = [
    "Binary",
    "Float16",
    "Hits",
    "Index",
    "Int4",
    "Int8",
    "Quantizer",
    "Ternary",
    "Trellis",
    "make_quantizer",
    "quantizer_names",
    "set_simd_level",
    "simd_level",
    "simd_levels",
]
