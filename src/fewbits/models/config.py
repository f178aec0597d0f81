"""JSON configuration files of a model folder, read with typed access and exact complaints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fewbits.errors import ModelError


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return the parsed content of `path`.

    Raises:
        ModelError: the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; the model folder is incomplete") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from error


class Config:
    """One JSON object, with typed access to its entries.

    Every accessor takes an optional default for an absent (or null) entry; without a default, or
    where the entry has the wrong type, it raises `ModelError` naming the file and the entry.
    """

    def __init__(self, values: dict[str, Any], path: Path) -> None:
        """Wrap `values`, which were read from `path`."""
        self.path = path
        self._values = values

    @classmethod
    def read(cls, path: Path) -> Config:
        """Read `path`, which must hold a JSON object."""
        values = read_json(path)
        if not isinstance(values, dict):
            raise ModelError(f"{path} must hold a JSON object, got {type(values).__name__}")
        return cls(values, path)

    @classmethod
    def read_optional(cls, path: Path) -> Config:
        """Read `path`, or return an empty config where the file does not exist."""
        return cls.read(path) if path.exists() else cls({}, path)

    def __contains__(self, name: str) -> bool:
        """Whether an entry is present and not null."""
        return self._values.get(name) is not None

    def integer(self, name: str, default: int | None = None, *, least: int = 1) -> int:
        """Return an integer entry >= `least`."""
        value = self._entry(name, default)
        # tokenizer_config.json writes "no limit" as the float 1e30
        whole = value.is_integer() if isinstance(value, float) else isinstance(value, int)
        if not whole or isinstance(value, bool):
            raise self._refusal(name, "an integer", value)
        if value < least:
            raise self._refusal(name, f"at least {least}", value)
        return int(value)

    def number(self, name: str, default: float | None = None) -> float:
        """Return a finite number > 0."""
        value = self._entry(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._refusal(name, "a number", value)
        if not 0 < value < float("inf"):
            raise self._refusal(name, "a finite number above 0", value)
        return float(value)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string entry."""
        value = self._entry(name, default)
        if not isinstance(value, str):
            raise self._refusal(name, "a string", value)
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return a boolean entry."""
        value = self._entry(name, default)
        if not isinstance(value, bool):
            raise self._refusal(name, "true or false", value)
        return value

    def raw(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return an entry as it stands, or None where it is absent."""
        return self._values.get(name)

    def _entry(self, name: str, default: object) -> Any:  # noqa: ANN401 - any JSON value
        value = self._values.get(name)
        if value is None:
            value = default
        if value is None:
            raise ModelError(f"{self.path} has no {name!r}; the model folder is incomplete")
        return value

    def _refusal(self, name: str, expected: str, value: object) -> ModelError:
        return ModelError(f"{self.path}: {name!r} must be {expected}, got {value!r}")
