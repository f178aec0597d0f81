"""What a low-precision number is: scales and codes, rounding, codebooks, packing, calibration.

Pure numpy: no files, no models, no native code. What is defined here is the specification that
kernels, quantizers and exported models must reproduce bit for bit.
"""

from __future__ import annotations

from fewbits.numerics.affine import (
    MIN_SCALE,
    Codes,
    Rounding,
    clipped_fraction,
    code_range,
    dequantize,
    fake_quantize,
    qparams,
    quantize,
)
from fewbits.numerics.calibration import (
    MinMax,
    MovingAverage,
    Observer,
    observer,
    observer_names,
)
from fewbits.numerics.clipping import MSE, Entropy, HistogramObserver, Percentile
from fewbits.numerics.codebooks import from_codes, lloyd_max, lloyd_max_fit, to_codes
from fewbits.numerics.granularity import Granularity, expand, extrema
from fewbits.numerics.packing import (
    pack,
    pack_trits,
    packed_size,
    trits_size,
    unpack,
    unpack_trits,
)
from fewbits.numerics.rounding import half_to_even, noise, stochastic
from fewbits.numerics.ternary import binary_xnor, ternary_absmean, ternary_twn

__all__ = [
    "MIN_SCALE",
    "MSE",
    "Codes",
    "Entropy",
    "Granularity",
    "HistogramObserver",
    "MinMax",
    "MovingAverage",
    "Observer",
    "Percentile",
    "Rounding",
    "binary_xnor",
    "clipped_fraction",
    "code_range",
    "dequantize",
    "expand",
    "extrema",
    "fake_quantize",
    "from_codes",
    "half_to_even",
    "lloyd_max",
    "lloyd_max_fit",
    "noise",
    "observer",
    "observer_names",
    "pack",
    "pack_trits",
    "packed_size",
    "qparams",
    "quantize",
    "stochastic",
    "ternary_absmean",
    "ternary_twn",
    "to_codes",
    "trits_size",
    "unpack",
    "unpack_trits",
]
