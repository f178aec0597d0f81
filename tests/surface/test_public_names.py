"""The public face: names, docstrings, errors. A change here is a deliberate one."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import fewbits
from fewbits import errors

SOURCE = Path(fewbits.__file__).parent

NAMES = [
    "Binary", "CalibrationWarning", "ConflictError", "DuplicateIdError", "Encoder", "FewbitsError",
    "Float16", "FormatError", "Hits", "Index", "InputError", "Int4", "Int8", "KernelError",
    "ModelError", "NotFittedError", "Quantizer", "Recipe", "StorageError", "Ternary",
    "Trellis", "UnknownIdError", "make_quantizer", "quantize_model", "quantizer_names",
    "simd_level",
]  # fmt: skip

MEMBERS = {
    "Encoder": [
        "calibration", "dims", "drift", "encode", "load", "max_length", "name", "origin", "recipe",
        "save", "source", "weights", "with_tensors",
    ],
    "Index": [
        "add", "compact", "decode", "delete", "dims", "fit", "ids", "info", "open", "quantizer",
        "refit", "save", "search",
    ],
    "Quantizer": [
        "advised_rows", "as_codes", "bind", "calibration_rows", "code_size", "decode",
        "decode_after", "dims", "encode", "encode_after", "encode_watched", "fit", "fit_after",
        "fit_distortion", "fitted", "follow", "metric", "name", "needs_fit", "noise", "params",
        "refine", "remainder", "rescan", "rescan_after", "sample_rows", "scan", "score",
        "score_rows", "search", "standalone", "state", "with_state",
    ],
    "Hits": ["count", "ids", "index", "scores"],
}  # fmt: skip


def test_the_public_names_are_frozen():
    assert sorted(fewbits.__all__) == NAMES


@pytest.mark.parametrize("name", MEMBERS)
def test_the_members_of_public_classes_are_frozen(name):
    assert sorted(m for m in dir(getattr(fewbits, name)) if not m.startswith("_")) == MEMBERS[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_listed(name):
    assert getattr(fewbits, name) is not None
    assert name in dir(fewbits)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Int3'"):
        _ = fewbits.Int3


def test_the_lists_of_names_agree():
    assert sorted(fewbits._HOME_OF) == sorted(fewbits.__all__)
    for home, names in fewbits._HOMES.items():
        module = importlib.import_module(home)
        assert all(getattr(module, name).__module__.startswith("fewbits") for name in names)


def public_objects():
    found = []
    for name in NAMES:
        value = getattr(fewbits, name)
        found.append((name, value))
        if inspect.isclass(value) and value.__module__.startswith("fewbits"):
            for member, inner in vars(value).items():
                if not member.startswith("_") and (callable(inner) or isinstance(inner, property)):
                    found.append((f"{name}.{member}", inner))
    return found


@pytest.mark.parametrize(
    ("name", "value"), public_objects(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_public_object_has_a_docstring(name, value):
    text = inspect.getdoc(value)
    assert text, name
    assert text.strip().splitlines()[0].rstrip().endswith((".", ":"))


def modules():
    return sorted(p for p in SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


ERRORS = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, (Exception, Warning))
]


def raised_by() -> dict[str, list[ast.Call]]:
    """Return the calls that build each error, anywhere in the package."""
    found: dict[str, list[ast.Call]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found.setdefault(node.func.id, []).append(node)
            if isinstance(node, ast.Call) and any(
                isinstance(a, ast.Name) and a.id == "CalibrationWarning" for a in node.args
            ):
                found.setdefault("CalibrationWarning", []).append(node)
    return found


RAISED = [e for e in ERRORS if e.__name__ != "FewbitsError"]


@pytest.mark.parametrize("error", RAISED)
def test_every_error_is_raised_somewhere(error):
    assert raised_by().get(error.__name__), f"{error.__name__} is never raised"


@pytest.mark.parametrize("error", [e for e in ERRORS if e.__name__ != "FewbitsError"])
def test_every_error_comes_with_a_message(error):
    for call in raised_by().get(error.__name__, []):
        assert call.args, f"line {call.lineno}"
        if isinstance(call.args[0], ast.Constant):
            assert len(str(call.args[0].value)) >= 15, call.args[0].value


def test_every_error_can_be_caught_by_its_base_and_by_its_builtin():
    for error in ERRORS:
        if issubclass(error, Warning):
            continue
        assert issubclass(error, errors.FewbitsError)
        builtins = {ValueError, RuntimeError, OSError, ImportError}
        assert error is errors.FewbitsError or builtins & set(error.__mro__)
