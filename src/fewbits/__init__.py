"""fewbits: embedding quantization, end to end.

Makes embedding vectors and models small, searches the small vectors directly, and proves on your
own data what that costs. Names are loaded when first used; importing this package loads numpy and
nothing heavier.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fewbits.errors import (
        CalibrationWarning,
        ConflictError,
        DuplicateIdError,
        FewbitsError,
        FormatError,
        InputError,
        KernelError,
        ModelError,
        NotFittedError,
        StorageError,
        UnknownIdError,
    )
    from fewbits.models import Encoder, Recipe, quantize_model
    from fewbits.vectors import (
        Binary,
        Float16,
        Hits,
        Index,
        Int4,
        Int8,
        Quantizer,
        Ternary,
        Trellis,
        make_quantizer,
        quantizer_names,
        simd_level,
    )

_HOMES = {
    "fewbits.errors": (
        "CalibrationWarning",
        "ConflictError",
        "DuplicateIdError",
        "FewbitsError",
        "FormatError",
        "InputError",
        "KernelError",
        "ModelError",
        "NotFittedError",
        "StorageError",
        "UnknownIdError",
    ),
    "fewbits.models": ("Encoder", "Recipe", "quantize_model"),
    "fewbits.vectors": (
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
        "simd_level",
    ),
}
_ROOMS = ("evaluate", "models", "numerics", "storage", "vectors")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Binary",
    "CalibrationWarning",
    "ConflictError",
    "DuplicateIdError",
    "Encoder",
    "FewbitsError",
    "Float16",
    "FormatError",
    "Hits",
    "Index",
    "InputError",
    "Int4",
    "Int8",
    "KernelError",
    "ModelError",
    "NotFittedError",
    "Quantizer",
    "Recipe",
    "StorageError",
    "Ternary",
    "Trellis",
    "UnknownIdError",
    "make_quantizer",
    "quantize_model",
    "quantizer_names",
    "simd_level",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public object
    """Load a public name, or a room, on first use."""
    if name in _ROOMS:
        return importlib.import_module(f"fewbits.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'fewbits' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "__version__"]
