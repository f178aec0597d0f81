"""What has constructor arguments and learns the rest: saved and restored as plain values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from fewbits.arrays import MAX_DIM
from fewbits.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

_MAX_ROWS = 2**53  # more rows than any memory holds, and exact in JSON numbers everywhere


def learned() -> Any:  # noqa: ANN401 - stands where a field of any type is declared
    """Declare a field that `fit` fills in: saved with the quantizer, not an argument."""
    return dataclasses.field(default=None, init=False, metadata={"learned": True})


@dataclasses.dataclass(kw_only=True, eq=False)
class Learner:
    """Parameters and learned state are the dataclass fields, so that saving costs no code.

    Attributes:
        dims: dimensions, once known.
        calibration_rows: how many rows `fit` learned from, None before.
    """

    dims: int | None = learned()
    calibration_rows: int | None = learned()

    name: ClassVar[str] = ""

    def params(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}

    def state(self) -> dict[str, Any]:
        """Return what was learned: numbers and arrays, None where nothing was."""
        fields = dataclasses.fields(self)
        return {f.name: getattr(self, f.name) for f in fields if f.metadata.get("learned")}

    def with_state(self, state: dict[str, Any]) -> Self:
        """Take over learned state as `state` returned it. Returns self.

        Raises:
            InputError: a name that is not learned state of this quantizer, or an impossible value.
        """
        known = self.state()
        for key in state:
            if key not in known:
                raise InputError(f"{self.name} has no learned state {key!r}")
        _check_learned_count("dims", state.get("dims"), MAX_DIM)
        _check_learned_count("calibration_rows", state.get("calibration_rows"), _MAX_ROWS)
        for key, value in state.items():
            setattr(self, key, value)
        return self


def _check_learned_count(key: str, value: object, most: int) -> None:
    """Refuse what cannot be a count; state may come from a hostile file."""
    if value is not None and (type(value) is not int or not 1 <= value <= most):
        raise InputError(f"learned {key} must be an integer from 1 to {most}, got {value!r}")
