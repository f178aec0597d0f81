"""Every error and warning that fewbits raises on purpose.

A message names the argument, what was expected, what came, and the cure.
"""

from __future__ import annotations


class FewbitsError(Exception):
    """Base of every error raised on purpose by fewbits."""


class InputError(FewbitsError, ValueError):
    """An argument has the wrong type, shape, range or content."""


class DuplicateIdError(InputError):
    """An id was given twice, or is already in the index."""


class UnknownIdError(InputError):
    """An id is not in the index."""


class NotFittedError(FewbitsError, RuntimeError):
    """A quantizer with static ranges was used before `fit`."""


class FormatError(FewbitsError, ValueError):
    """A file is damaged, truncated, foreign or of an unknown version."""


class StorageError(FewbitsError, OSError):
    """The operating system refused a read or a write; the files on disk are unchanged."""


class ConflictError(FewbitsError, RuntimeError):
    """Somebody else writes, or has written, the same index folder."""


class ModelError(FewbitsError, ValueError):
    """A model folder is incomplete, inconsistent or of an unsupported family."""


class KernelError(FewbitsError, RuntimeError):
    """A CPU level was asked for that this build or machine does not have."""


class CalibrationWarning(UserWarning):
    """Ranges were learned from fewer or other rows than advisable."""
