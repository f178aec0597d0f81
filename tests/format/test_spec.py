"""The worked examples of docs/format.md, read with struct, json and zlib alone."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from fewbits.storage import container
from fewbits.vectors import manifest

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
EXAMPLE = {
    "codes": np.array([[1, -1, 127], [0, -127, 64]], np.int8),
    "scale": np.array([0.5], np.float32),
}


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture
def example() -> bytes:
    lines = [line[10:57] for line in block("hex").splitlines()]
    return bytes.fromhex("".join(lines))


def test_the_text_beside_the_hex_dump_shows_the_same_bytes(example: bytes) -> None:
    shown = "".join(line[59:] for line in block("hex").splitlines())
    assert shown == "".join(chr(byte) if 32 <= byte < 127 else "." for byte in example)


def test_the_worked_example_reads_as_the_page_says(example: bytes) -> None:
    (length,) = struct.unpack_from("<Q", example)
    header = json.loads(example[8 : 8 + length])
    meta = json.loads(header.pop("__metadata__")["fewbits"])
    data = example[8 + length :]

    assert (len(example), length, 8 + length) == (346, 328, 0x150)
    assert header["scale"] == {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    assert header["codes"] == {"dtype": "I8", "shape": [2, 3], "data_offsets": [4, 10]}
    assert struct.unpack("<f", data[:4]) == (0.5,)
    assert struct.unpack("<6b", data[4:]) == (1, -1, 127, 0, -127, 64)
    assert meta["params"] == {"quantizer": "int8"}
    assert (meta["format"], meta["kind"], meta["version"]) == ("fewbits", "segment", 1)
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert meta["checksums"][name] == f"{zlib.crc32(data[begin:end]):08x}"


def test_the_header_checksum_stands_where_the_page_says(example: bytes) -> None:
    mark = re.search(r"```\n(\\\"format.*?)\n```", PAGE)[1].encode()
    assert f"these {len(mark)} bytes" in PAGE
    at = example.index(mark) + len(mark)
    (length,) = struct.unpack_from("<Q", example)
    zeroed = example[:at] + b"00000000" + example[at + 8 : 8 + length]
    assert example[at : at + 8] == f"{zlib.crc32(zeroed):08x}".encode() == b"4829734c"
    assert f"byte {at} (`{at:x}` hexadecimal)" in PAGE


def test_the_package_writes_the_worked_example(example: bytes, tmp_path: Path) -> None:
    path = tmp_path / "example.safetensors"
    stamp = container.write(path, EXAMPLE, kind="segment", params={"quantizer": "int8"})
    assert path.read_bytes() == example
    assert stamp == container.Stamp("example.safetensors", 346, "4829734c")


def test_the_package_reads_the_worked_example(example: bytes, tmp_path: Path) -> None:
    path = tmp_path / "example.safetensors"
    path.write_bytes(example)
    contents = container.read(path, kind="segment")
    assert contents.params == {"quantizer": "int8"}
    for name, tensor in EXAMPLE.items():
        np.testing.assert_array_equal(contents.tensors[name], tensor, strict=True)


def test_the_manifest_example_reads_as_the_page_says() -> None:
    raw = block("json").strip().encode()
    body = json.loads(raw)
    checksum = body.pop("checksum")
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert checksum == f"{zlib.crc32(text.encode()):08x}"
    expected = manifest.Manifest(1, {"metric": "cosine"}, ())
    assert manifest.decode(raw) == expected
    assert manifest.encode(expected) == raw


def test_the_checksum_examples_are_right() -> None:
    assert "of no bytes is `00000000`" in PAGE
    assert f"{zlib.crc32(b''):08x}" == "00000000"
    assert f"`123456789` is `{zlib.crc32(b'123456789'):08x}`" in PAGE


def test_the_page_lists_every_dtype() -> None:
    from fewbits.storage.header import DTYPES

    assert set(re.findall(r"\| `([A-Z]+\d*)` \|", PAGE)) == set(DTYPES)
