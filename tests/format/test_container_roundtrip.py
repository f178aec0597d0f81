"""What goes into a container comes out again, bit for bit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from fewbits.errors import FormatError, InputError, StorageError
from fewbits.storage import container
from fewbits.storage.header import DTYPES, MAX_HEADER

RNG = np.random.default_rng(7)
SHAPES = [(), (0,), (1,), (7,), (3, 5), (0, 4), (4, 0, 2), (2, 1, 3, 1, 1, 2, 1, 1)]


def noise(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = RNG.integers(0, 2 if dtype == "b1" else 256, size, dtype=np.uint8)
    return np.frombuffer(raw.tobytes(), dtype=dtype).reshape(shape)  # NaN payloads included


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_and_shape_comes_back_bit_for_bit(name: str, shape: Any, tmp_path: Path):
    tensor = noise(DTYPES[name], shape)
    path = tmp_path / "a"
    container.write(path, {"x": tensor, "pad": np.ones(3, np.uint8)}, kind="segment", params={})
    back = container.read(path, kind="segment").tensors["x"]
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert back.tobytes() == tensor.tobytes()


def test_a_container_of_all_dtypes_is_aligned_and_opens_with_safetensors(tmp_path: Path):
    tensors = {name.lower(): noise(code, (3,)) for name, code in DTYPES.items()}
    path = tmp_path / "a"
    container.write(path, tensors, kind="segment", params={})
    back = container.read(path, kind="segment").tensors
    independent = load_file(path)
    assert set(back) == set(independent) == set(tensors)
    for name, tensor in tensors.items():
        assert back[name].flags.aligned
        assert back[name].ctypes.data % tensor.itemsize == 0
        assert independent[name].tobytes() == back[name].tobytes() == tensor.tobytes()


PARAMS = {
    "empty": {},
    "nested": {"a": [1, [2.5, None, True]], "b": {"c": {"d": "e"}}},
    "text": {"ä": 'quote " back \\ line \n nul \0 emoji \U0001f600 del \x7f'},
    "numbers": {"big": 2**64 - 1, "small": -(2**64) + 1, "tiny": 5e-324, "zero": -0.0, "x": 1e22},
    "lookalike": {"header": "00000000", "text": '\\"format\\":\\"fewbits\\",\\"header\\":\\"'},
}


@pytest.mark.parametrize("name", PARAMS)
def test_params_come_back(name: str, tmp_path: Path):
    path = tmp_path / "a"
    container.write(path, {}, kind="segment", params=PARAMS[name])
    back = container.read(path, kind="segment").params
    assert back == PARAMS[name]
    assert repr(back) == repr(dict(sorted(PARAMS[name].items())))  # tells 1 from 1.0 from True
    assert load_file(path) == {}


def test_arrays_named_like_header_fields_do_not_confuse_the_header(tmp_path: Path):
    tensors = {n: np.arange(4) for n in ("format", "header", "fewbits", "A", "0", "-", ".", "_a")}
    path = tmp_path / "a"
    container.write(path, tensors, kind="segment", params={})
    assert set(container.read(path, kind="segment").tensors) == set(tensors)


@pytest.mark.parametrize("rows", [0, 3, 4000])
def test_saving_what_was_loaded_gives_equal_bytes(rows: int, tmp_path: Path):
    tensors = {"codes": noise("i1", (rows, 17)), "ids": noise("i8", (rows,)), "s": noise("f4", ())}
    first, second = tmp_path / "a", tmp_path / "b"
    container.write(first, tensors, kind="segment", params={"q": "int8", "lr": 0.1})
    back = container.read(first, kind="segment")
    container.write(second, back.tensors, kind="segment", params=back.params)
    assert first.read_bytes() == second.read_bytes()


def test_the_order_of_the_mapping_does_not_change_the_bytes(tmp_path: Path):
    tensors = {name: np.arange(3, dtype=np.uint8) for name in "cab"}
    container.write(tmp_path / "a", tensors, kind="segment", params={"x": 1, "y": 2})
    turned = dict(reversed(tensors.items()))
    container.write(tmp_path / "b", turned, kind="segment", params={"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


LAYOUTS = {
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "reversed": lambda x: x[::-1][::-1, ::-1][:, ::-1],
    "fortran": np.asfortranarray,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_layout_in_memory_does_not_change_the_bytes(name: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(container, "_BLOCK", 100)  # bytes, so that several blocks are walked
    plain = RNG.normal(size=(50, 6)).astype(np.float32)
    odd = LAYOUTS[name](plain)
    before = odd.tobytes()
    container.write(tmp_path / "a", {"x": plain}, kind="segment", params={})
    container.write(tmp_path / "b", {"x": odd}, kind="segment", params={})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert odd.tobytes() == before


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tensors=st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_.-]{1,9}", fullmatch=True),
        hnp.arrays(
            st.sampled_from([np.dtype(code) for code in DTYPES.values()]),
            hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        ),
        max_size=5,
    ),
    params=st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8)
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_any_content_comes_back_and_gives_equal_bytes(tensors: Any, params: Any, tmp_path: Path):
    path = tmp_path / "a"
    container.write(path, tensors, kind="segment", params=params)
    raw = path.read_bytes()
    back = container.read(path, kind="segment")
    assert back.params == params
    assert {n: t.tobytes() for n, t in back.tensors.items()} == {
        n: t.tobytes() for n, t in tensors.items()
    }
    container.write(path, back.tensors, kind="segment", params=back.params)
    assert path.read_bytes() == raw


def test_arrays_are_read_only_views_into_the_mapped_file(tmp_path: Path):
    path = tmp_path / "a"
    container.write(path, {"x": np.arange(9), "e": np.zeros((0, 2))}, kind="segment", params={})
    for tensor in container.read(path, kind="segment").tensors.values():
        assert not tensor.flags.writeable
        assert not tensor.flags.owndata
        with pytest.raises(ValueError, match="WRITEABLE"):
            tensor.flags.writeable = True


def test_saving_onto_the_file_that_is_mapped_keeps_old_and_new(tmp_path: Path):
    path = tmp_path / "a"
    data = RNG.integers(0, 256, (5000, 16), dtype=np.uint8)
    container.write(path, {"x": data}, kind="segment", params={})
    old = container.read(path, kind="segment").tensors["x"]
    container.write(path, {"x": old[::-1], "y": old}, kind="segment", params={})
    new = container.read(path, kind="segment").tensors
    np.testing.assert_array_equal(old, data)
    np.testing.assert_array_equal(new["x"], data[::-1])
    np.testing.assert_array_equal(new["y"], data)


REFUSED = {
    "no such dtype": ({"x": np.zeros(2, "M8[s]")}, "segment", {}, "got datetime64"),
    "complex": ({"x": np.zeros(2, np.complex64)}, "segment", {}, "got complex64"),
    "objects": ({"x": np.array([None])}, "segment", {}, "got object"),
    "text": ({"x": np.array(["a"])}, "segment", {}, "got <U1"),
    "a list": ({"x": [1, 2]}, "segment", {}, "got list"),
    "nine axes": ({"x": np.zeros((1,) * 9)}, "segment", {}, "at most 8 axes, got 9"),
    "empty name": ({"": np.zeros(2)}, "segment", {}, "tensor name"),
    "name with a slash": ({"a/b": np.zeros(2)}, "segment", {}, "tensor name"),
    "name with a newline": ({"a\n": np.zeros(2)}, "segment", {}, "tensor name"),
    "long name": ({"a" * 129: np.zeros(2)}, "segment", {}, "tensor name"),
    "reserved name": ({"__metadata__": np.zeros(2)}, "segment", {}, "tensor name"),
    "empty kind": ({}, "", {}, "kind must be"),
    "upper-case kind": ({}, "Segment", {}, "kind must be"),
    "nan": ({}, "segment", {"a": [0.0, math.nan]}, r"params\['a'\]\[1\] is nan"),
    "infinity": ({}, "segment", {"a": -math.inf}, r"params\['a'\] is -inf"),
    "numpy scalar": ({}, "segment", {"a": np.float32(1)}, r"float32; convert numpy scalars"),
    "bytes": ({}, "segment", {"a": b"x"}, "got bytes"),
    "integer key": ({}, "segment", {1: "x"}, "keys must be str"),
    "large integer": ({}, "segment", {"a": 2**64}, r"within \+-2\*\*64"),
    "lone surrogate": ({}, "segment", {"a": "\ud800"}, "lone surrogate"),
    "self-reference": ({}, "segment", {"a": (loop := [], loop.append(loop))[0]}, "deeper than 32"),
    "a megabyte of params": ({}, "segment", {"a": "x" * MAX_HEADER}, "store what is large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_format_does_not_hold_is_refused_and_nothing_written(name: str, tmp_path: Path):
    tensors, kind, params, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        container.write(tmp_path / "a", tensors, kind=kind, params=params)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_an_os_error_with_its_errno(tmp_path: Path):
    with pytest.raises(StorageError, match="No such file") as caught:
        container.read(tmp_path / "none", kind="segment")
    assert caught.value.errno == 2
    assert isinstance(caught.value, OSError)


def test_a_folder_is_not_a_container(tmp_path: Path):
    with pytest.raises(StorageError, match="cannot open"):
        container.read(tmp_path, kind="segment")


@pytest.mark.parametrize("field", ["size", "header"])
def test_another_valid_file_in_its_place_does_not_pass_the_stamp(field: str, tmp_path: Path):
    stamp = container.write(tmp_path / "a", {"x": np.arange(3)}, kind="segment", params={})
    other = np.arange(4) if field == "size" else np.arange(1, 4)
    container.write(tmp_path / "a", {"x": other}, kind="segment", params={})
    container.read(tmp_path / "a", kind="segment")
    message = "bytes, .* were written" if field == "size" else "another file took its place"
    with pytest.raises(FormatError, match=message):
        container.read(tmp_path / "a", kind="segment", stamp=stamp)


def test_without_verify_only_the_data_goes_unchecked(tmp_path: Path):
    path = tmp_path / "a"
    container.write(path, {"x": np.zeros(100, np.uint8)}, kind="segment", params={})
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert container.read(path, kind="segment", verify=False).tensors["x"][-1] == 1
    with pytest.raises(FormatError, match="checksum of 'x' differs"):
        container.read(path, kind="segment")


def test_a_model_container_is_aligned_for_kernels_and_opens_with_safetensors(tmp_path: Path):
    path = tmp_path / "m.safetensors"
    tensors = {
        "a": np.arange(5, dtype=np.float32),
        "b": np.arange(64, dtype=np.int8),
        "c": np.arange(32, dtype=np.float16),
        "d": np.arange(3, dtype=np.int8),
        "e": np.arange(192, dtype=np.int8).reshape(3, 64),
        "f": np.arange(48, dtype=np.float32),
    }
    container.write(path, tensors, kind="model", params={})
    back = container.read(path, kind="model").tensors
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, tensors[name])
        wanted = 64 if tensor.nbytes % 64 == 0 else tensor.itemsize
        assert tensor.ctypes.data % wanted == 0, name
    for name, tensor in load_file(path).items():
        np.testing.assert_array_equal(tensor, tensors[name])


@pytest.mark.parametrize(("written", "read"), [("model", "segment"), ("segment", "model")])
def test_the_kind_is_compared_before_its_layout(written: str, read: str, tmp_path: Path):
    container.write(tmp_path / "a", {"x": np.arange(9)}, kind=written, params={})
    with pytest.raises(FormatError, match=f"holds the kind '{written}', expected '{read}'"):
        container.read(tmp_path / "a", kind=read)
