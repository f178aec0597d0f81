"""A recipe: which precision each tensor and each activation of an encoder gets, as data.

A recipe is a list of rows; the last row whose pattern matches a module's name decides. Modules are
the linears and the tables of `EncoderSpec` (norms and biases stay float32):

    Recipe.int8().with_row("layers.5.ffn_out", weights="float16", activations="float32")

Weights: "float32", "float16", "bfloat16" or "int8" (one symmetric scale per output channel, per row
of a table). Activations of a linear with int8 weights: "dynamic" (range found per token row while
running), "static" (range fixed by calibration), or "float32" (weights alone are small).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, get_args

from fewbits.errors import InputError, ModelError
from fewbits.models.spec import EncoderSpec
from fewbits.numerics import observer_names

WeightFormat: TypeAlias = Literal["float32", "float16", "bfloat16", "int8"]
ActivationMode: TypeAlias = Literal["float32", "dynamic", "static"]
Clip: TypeAlias = Literal["none", "mse"]

_AFTER_NORMS = ("layers.*.qkv", "layers.*.ffn_in")
_TABLES = ("embeddings.word", "embeddings.position", "embeddings.token_type")


@dataclass(frozen=True)
class Row:
    """What the modules whose name matches get.

    Attributes:
        match: a module name, or a pattern with * and ?.
        weights: how weights are stored.
        clip: how an int8 scale is found: "none" takes the largest value, "mse" the scale of the
            least squared error.
        activations: how a linear's input is taken; tables ignore it.
        symmetric: activation codes around 0, instead of a zero-point that spends all 256 codes on
            the range at hand.
        observer: name of the observer (`fewbits.numerics.observer_names`) of static ranges.
        smooth: exponent a of the per-input factors max|x|^a / max|w|^(1-a) that move outliers of
            8-bit activations into the weights (Xiao et al. 2023); 0 for none, "search" for the
            best one of every linear, which calibration of static activations finds.
        correct_bias: whether the mean error on the calibration texts is added to the bias.
    """

    match: str
    weights: WeightFormat = "float32"
    clip: Clip = "mse"
    activations: ActivationMode = "float32"
    symmetric: bool = False
    observer: str = "minmax"
    smooth: float | Literal["search"] = 0.0
    correct_bias: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown words and combinations that no executor runs."""
        _check_types(self)
        _check_word("weights", self.weights, get_args(WeightFormat))
        _check_word("activations", self.activations, get_args(ActivationMode))
        _check_word("clip", self.clip, get_args(Clip))
        if self.activations != "float32" and self.weights != "int8":
            raise InputError(
                f"activations={self.activations!r} needs weights='int8', got {self.weights!r} in "
                f"the row for {self.match!r}"
            )
        _check_smooth(self.smooth, self.activations)


@dataclass(frozen=True)
class Recipe:
    """Rows, the last match wins; see the module.

    Attributes:
        name: what reports call it.
        rows: the rows; a module that no row matches stays float32.
    """

    name: str = "float32"
    rows: tuple[Row, ...] = field(default=())

    @classmethod
    def float32(cls) -> Recipe:
        """Everything as it was trained."""
        return cls()

    @classmethod
    def fp16(cls) -> Recipe:
        """Weights stored as float16, computed with in float32."""
        return cls("fp16", (Row("*", weights="float16"),))

    @classmethod
    def bf16(cls) -> Recipe:
        """Weights stored as bfloat16, computed with in float32."""
        return cls("bf16", (Row("*", weights="bfloat16"),))

    @classmethod
    def int8(cls, activations: ActivationMode = "dynamic") -> Recipe:
        """8-bit weights and tables; 8-bit activations, dynamic or static.

        Smoothing of dynamic activations is for the inputs that come from a layer norm: a few of
        them are outliers everywhere. Measured on all-MiniLM-L6-v2, 2,000 texts: cosine to float32
        on average 0.9992 with it and 0.9987 without, in the worst case 0.9967 and 0.9939. Static
        activations, calibrated with 512 passages, give 0.9982 and 0.9938.
        """
        static = activations == "static"
        row = Row(
            "*",
            weights="int8",
            activations=activations,
            smooth="search" if static else 0.0,
        )
        rows = [row]
        if activations == "dynamic":
            rows += [dataclasses.replace(row, match=match, smooth=0.5) for match in _AFTER_NORMS]
        return cls(f"int8-{activations}", (*rows, Row("dense.*", weights="float32")))

    def with_row(self, match: str, **choices: Any) -> Recipe:  # noqa: ANN401 - fields of Row
        """Return a recipe with one more row at the end.

        Raises:
            InputError: a field that a row does not have, or a value it does not take.
        """
        return dataclasses.replace(self, rows=(*self.rows, _row({"match": match, **choices})))

    def resolve(self, spec: EncoderSpec) -> dict[str, Row]:
        """Return the row of every linear and table of `spec`.

        Raises:
            ModelError: a row matches no module; it names the row and the modules there are.
        """
        names = (*tables_of(spec), *spec.linears())
        for row in self.rows:
            if not any(fnmatchcase(name, row.match) for name in names) and row.match != "dense.*":
                raise ModelError(
                    f"recipe row {row.match!r} matches no layer; layers are {', '.join(names[:8])}"
                    f"{', ...' if len(names) > 8 else ''}"
                )
        return {name: self._row_of(name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"name": self.name, "rows": [dataclasses.asdict(row) for row in self.rows]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Read what `to_dict` wrote.

        Raises:
            InputError: not such data, or a value that no row takes.
        """
        rows, name = data.get("rows"), data.get("name", "")
        if not isinstance(rows, (list, tuple)) or not all(isinstance(r, Mapping) for r in rows):
            raise InputError(f"recipe must have a list of rows, each an object, got {rows!r:.80}")
        if not isinstance(name, str):
            raise InputError(f"a recipe's name must be a string, got {name!r:.80}")
        return cls(name, tuple(_row(row) for row in rows))

    def _row_of(self, name: str) -> Row:
        matching = [row for row in self.rows if fnmatchcase(name, row.match)]
        found = matching[-1] if matching else Row("*")
        return dataclasses.replace(found, match=name)


def tables_of(spec: EncoderSpec) -> tuple[str, ...]:
    """Return the names of the embedding tables of `spec`."""
    return _TABLES if spec.token_types else _TABLES[:2]


def _row(choices: Mapping[str, Any]) -> Row:
    known = [f.name for f in dataclasses.fields(Row)]
    for name in choices:
        if name not in known:
            raise InputError(f"a recipe row has {', '.join(known)}; got {name!r}")
    if "match" not in choices:
        raise InputError(f"a recipe row must say which modules match, got {dict(choices)!r:.80}")
    return Row(**choices)


def _check_types(row: Row) -> None:
    wanted = {"match": str, "observer": str, "symmetric": bool, "correct_bias": bool}
    for name, kind in wanted.items():
        value = getattr(row, name)
        if not isinstance(value, kind):
            raise InputError(f"{name} of a recipe row must be a {kind.__name__}, got {value!r:.80}")
    if row.observer not in observer_names():
        known = ", ".join(observer_names())
        raise InputError(f"observer must be one of {known}, got {row.observer!r}")


def _check_smooth(smooth: object, activations: str) -> None:
    if smooth == "search":
        if activations == "dynamic":
            raise InputError(
                "smooth='search' needs the calibration of static activations; give a number from "
                "0 to 1 for dynamic ones"
            )
    elif isinstance(smooth, bool) or not isinstance(smooth, (int, float)) or not 0 <= smooth <= 1:
        raise InputError(f"smooth must be 0 to 1 or 'search', got {smooth!r}")


def _check_word(name: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, got {value!r}")
