"""Model families, one file each: importing this package registers them all.

A new family is one new file here that calls `fewbits.models.family.register`; nothing else
changes. Families never import each other.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
