"""A table of bad files, forged with matching checksums, so that the other checks must refuse."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from fewbits.errors import FormatError
from fewbits.storage import container
from fewbits.storage.header import MAX_HEADER

MARK = rb"\"format\":\"fewbits\",\"header\":\""
SLACK = 1 << 20  # bytes of memory beyond the file's size that refusing may take


class Draft:
    """A valid file in parts; a mutation changes some, `finish` makes the checksums match."""

    def __init__(self) -> None:
        self.data = bytes(range(1, 9)) + b"\1\0\1" + bytes(5)
        self.outer: Any = {
            "bits": {"data_offsets": [8, 11], "dtype": "BOOL", "shape": [3]},
            "codes": {"data_offsets": [11, 16], "dtype": "U8", "shape": [5]},
            "scale": {"data_offsets": [0, 8], "dtype": "F32", "shape": [2]},
        }
        checksums: Any = {"bits": self.crc(8, 11), "codes": self.crc(11, 16)}
        checksums["scale"] = self.crc(0, 8)
        self.meta: Any = {
            "checksums": checksums,
            "format": "fewbits",
            "header": "00000000",
            "kind": "segment",
            "params": {"a": 1},
            "version": 1,
        }
        self.on_meta: Callable[[str], Any] = lambda text: text
        self.on_text: Callable[[bytes], bytes] = lambda text: text
        self.on_file: Callable[[bytes], bytes] = lambda raw: raw
        self.fill = b" "
        self.grow = 0  # added to the header's length field
        self.digest: bytes | None = None
        self.extra_meta: dict[str, str] = {}

    def crc(self, begin: int, end: int) -> str:
        return f"{zlib.crc32(self.data[begin:end]):08x}"

    def finish(self) -> bytes:
        inner = self.on_meta(dumps(self.meta))
        outer = self.outer
        if isinstance(outer, dict):
            outer = {**outer, "__metadata__": {"fewbits": inner, **self.extra_meta}}
        text = self.on_text(dumps(outer).encode("utf-8", "surrogatepass"))
        text += self.fill * (-len(text) % 8)
        raw = struct.pack("<Q", len(text) + self.grow) + text
        at = raw.find(MARK)
        if at >= 0:
            at += len(MARK)
            zeroed = raw[:at] + b"00000000" + raw[at + 8 :]
            digest = self.digest or f"{zlib.crc32(zeroed):08x}".encode()
            raw = raw[:at] + digest + raw[at + 8 :]
        return self.on_file(raw + self.data)


def dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def put(**parts: Any) -> Callable[[Draft], None]:
    return lambda draft: [setattr(draft, name, part) for name, part in parts.items()] and None


def meta(**keys: Any) -> Callable[[Draft], None]:
    return lambda draft: draft.meta.update(keys)


def entry(name: str = "codes", **keys: Any) -> Callable[[Draft], None]:
    return lambda draft: draft.outer[name].update(keys)


def whole(raw: bytes) -> Callable[[Draft], None]:
    return put(on_file=lambda _: raw)


def swap(old: str, new: str) -> Callable[[Draft], None]:
    """Replace text inside the metadata string, where only a hand-made file would have it."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return put(on_meta=change)


def swap_outer(old: bytes, new: bytes) -> Callable[[Draft], None]:
    def change(text: bytes) -> bytes:
        assert old in text
        return text.replace(old, new, 1)

    return put(on_text=change)


def rename(new: str) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        draft.outer[new] = draft.outer.pop("codes")
        draft.meta["checksums"][new] = draft.meta["checksums"].pop("codes")

    return change


def drop(holder: str, key: str) -> Callable[[Draft], None]:
    return lambda draft: getattr(draft, holder).pop(key) and None


def checksums(**keys: Any) -> Callable[[Draft], None]:
    return lambda draft: draft.meta["checksums"].update(keys)


def last_bool_is_two(draft: Draft) -> None:
    draft.data = draft.data[:10] + b"\2" + draft.data[11:]
    draft.meta["checksums"]["bits"] = draft.crc(8, 11)


def empty_with_an_overflowing_axis(draft: Draft) -> None:
    draft.outer["none"] = {"data_offsets": [0, 0], "dtype": "U8", "shape": [0, 2**63]}
    draft.meta["checksums"]["none"] = "00000000"


PLAIN = save({"x": np.arange(3, dtype=np.uint8)})
ALIEN = save({"x": np.arange(3, dtype=np.uint8)}, metadata={"format": "pt"})

BAD: dict[str, tuple[Callable[[Draft], Any], str]] = {
    # the frame
    "empty": (whole(b""), "has 0 bytes"),
    "seven bytes": (whole(b"\0" * 7), "has 7 bytes"),
    "eight zero bytes": (whole(b"\0" * 8), "no fewbits metadata"),
    "zeros": (whole(b"\0" * 4096), "no fewbits metadata"),
    "0xff": (whole(b"\xff" * 4096), "claims a header of 18446744073709551615 bytes"),
    "length of 2**63": (whole(struct.pack("<Q", 2**63) + b"{}"), "claims a header of 9223"),
    "length of 10**9": (whole(struct.pack("<Q", 10**9) + b"{}"), "claims a header of 1000000000"),
    "length one beyond the file": (
        whole(struct.pack("<Q", 9) + b"{}      "), "of 9 bytes but 8 follow"),
    "length just above the limit": (
        whole(struct.pack("<Q", MAX_HEADER + 8) + bytes(MAX_HEADER + 8)), "at most 1048576"),
    "length takes data in": (put(grow=8), "not valid JSON|padded|checksum of the header"),
    "length leaves header out": (put(grow=-8), "checksum of the header|no fewbits|not valid JSON"),
    "one trailing byte": (put(on_file=lambda raw: raw + b"\0"), "trailing bytes"),
    "a trailing zip file": (put(on_file=lambda raw: raw + b"PK\5\6" + bytes(18)), "trailing"),
    "one byte short": (put(on_file=lambda raw: raw[:-1]), "truncated"),
    "no data": (put(on_file=lambda raw: raw[:-16]), "truncated"),
    "text": (whole(b"hello world, this is no index\n"), "claims a header"),
    "png": (whole(b"\x89PNG\r\n\x1a\n" + bytes(64)), "claims a header"),
    "pickle": (whole(b"\x80\x04\x95\x0b\0\0\0\0\0\0\0]" + bytes(64)), "claims a header"),
    "numpy": (whole(b"\x93NUMPY\1\0" + bytes(120)), "claims a header"),
    "plain safetensors": (whole(PLAIN), "no fewbits metadata"),
    "another's safetensors": (whole(ALIEN), "no fewbits metadata"),
    "padded with zeros": (put(fill=b"\0", on_text=lambda t: t + b" " * (-len(t) % 8) + b"\0"),
                          "not valid JSON"),
    "padded by eight more": (put(on_text=lambda t: t + b" " * (8 - len(t) % 8) + b" " * 8),
                             "not padded to a multiple of 8"),
    # JSON
    "leading space": (put(on_text=lambda t: b" " + t), "canonical spelling"),
    "trailing newline": (put(on_text=lambda t: t + b"\n" + b" "), "canonical spelling"),
    "byte order mark": (put(on_text=lambda t: b"\xef\xbb\xbf" + t), "not valid JSON"),
    "invalid UTF-8": (swap_outer(b'"codes"', b'"cod\xffs"'), "not valid JSON"),
    "overlong UTF-8": (swap_outer(b'"codes"', b'"cod\xc0\xa5s"'), "not valid JSON"),
    "cut JSON": (put(on_text=lambda t: t[:-1]), "not valid JSON"),
    "two documents": (put(on_text=lambda t: t + b"{}"), "not valid JSON"),
    "space in the header": (swap_outer(b'"shape":', b'"shape": '), "canonical spelling"),
    "escaped letter in a key": (swap_outer(b'"codes"', b'"c\\u006fdes"'), "canonical spelling"),
    "unsorted header": (
        swap_outer(b'"dtype":"U8","shape":[5]', b'"shape":[5],"dtype":"U8"'), "canonical"),
    "tensor named twice": (
        swap_outer(b'"codes":{', b'"codes":{"dtype":"U8","shape":[1]},"codes":{'), "twice"),
    "dtype given twice": (swap_outer(b'"dtype":"U8"', b'"dtype":"U8","dtype":"U8"'), "twice"),
    "metadata given twice": (
        swap_outer(b'"__metadata__":', b'"__metadata__":{"fewbits":""},"__metadata__":'), "twice"),
    "header is a list": (put(on_text=lambda t: b"[" + t + b"]"), "not a JSON object"),
    "header nested 100,000 deep": (
        put(on_text=lambda t: t[:-1] + b',"z":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "not valid JSON"),
    "space in the metadata": (swap('"version":1', '"version": 1'), "canonical spelling"),
    "newline after the metadata": (put(on_meta=lambda t: t + "\n"), "canonical spelling"),
    "unsorted metadata": (swap('"params":{"a":1},"version":1', '"version":1,"params":{"a":1}'),
                          "canonical spelling"),
    "key given twice in the metadata": (swap('"version":1', '"version":1,"version":1'), "twice"),
    "key given twice in params": (swap('{"a":1}', '{"a":1,"a":1}'), "occurs twice"),
    "nan in params": (swap('{"a":1}', '{"a":NaN}'), "is nan"),
    "infinity in params": (swap('{"a":1}', '{"a":-Infinity}'), "is -inf"),
    "1e999 in params": (swap('{"a":1}', '{"a":1e999}'), "is inf"),
    "odd float in params": (swap('{"a":1}', '{"a":1.50}'), "canonical spelling"),
    "integer of 5,000 digits": (swap('{"a":1}', '{"a":1' + "0" * 5000 + "}"), "longer than 64"),
    "integer of 65 bits": (swap('{"a":1}', '{"a":18446744073709551616}'), r"within \+-2\*\*64"),
    "leading zero": (swap('{"a":1}', '{"a":01}'), "not valid JSON"),
    "lone surrogate": (swap('{"a":1}', '{"a":"\\ud800"}'), "lone surrogate"),
    "metadata nested 33 deep": (swap('{"a":1}', '{"a":' + "[" * 33 + "]" * 33 + "}"), "deeper"),
    "metadata nested 100,000 deep": (
        swap('{"a":1}', '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"), "not valid JSON"),
    "metadata is a list": (put(on_meta=lambda t: f"[{t}]"), "not of the format"),
    "metadata is an object": (put(on_meta=json.loads), "no fewbits metadata"),
    "a second metadata key": (put(extra_meta={"format": "pt"}), "the one key 'fewbits'"),
    # metadata
    "another format": (meta(format="fewbytes"), "no fewbits metadata"),
    "version 0": (meta(version=0), "format version 0"),
    "version 2": (meta(version=2), "version 2, this fewbits reads 1; open it with"),
    "version 2 with a new key": (meta(version=2, codec="zstd"), "version 2, this fewbits reads 1"),
    "version as text": (meta(version="1"), "version '1'"),
    "version as float": (meta(version=1.0), "version 1.0"),
    "version as bool": (meta(version=True), "version True"),
    "no version": (drop("meta", "version"), "version None"),
    "another kind": (meta(kind="tombstones"), "holds the kind 'tombstones', expected 'segment'"),
    "kind is null": (meta(kind=None), "holds the kind None"),
    "unknown metadata": (meta(compression="zstd"), "must have the keys"),
    "no params": (drop("meta", "params"), "must have the keys"),
    "params are a list": (meta(params=[]), "must be JSON objects"),
    "checksums are a list": (meta(checksums=["00000000"]), "must be JSON objects"),
    "checksum is a number": (checksums(codes=0), "8 hex digits"),
    "checksum in upper case": (
        lambda draft: checksums(scale=draft.crc(0, 8).upper())(draft), "8 hex digits"),
    "checksum of a tensor is wrong": (checksums(codes="00000000"), "checksum of 'codes' differs"),
    "checksum of the header is wrong": (put(digest=b"00000000"), "checksum of the header differs"),
    "checksum of the header is no hex": (put(digest=b"zzzzzzzz"), "checksum of the header differs"),
    "checksum without a tensor": (checksums(ghost="00000000"), "do not name the same"),
    "tensor without a checksum": (
        lambda draft: draft.meta["checksums"].pop("codes"), "do not name the same"),
    "no tensors but data": (
        lambda draft: (draft.outer.clear(), draft.meta["checksums"].clear()), "trailing bytes"),
    # tensors
    "tensor is null": (lambda draft: draft.outer.update(codes=None), "must have data_offsets"),
    "tensor is a list": (lambda draft: draft.outer.update(codes=[]), "must have data_offsets"),
    "no dtype": (lambda draft: draft.outer["codes"].pop("dtype"), "must have data_offsets"),
    "no shape": (lambda draft: draft.outer["codes"].pop("shape"), "must have data_offsets"),
    "no offsets": (lambda draft: draft.outer["codes"].pop("data_offsets"), "must have data_off"),
    "unknown tensor key": (entry(scale=1), "must have data_offsets"),
    "unknown dtype": (entry(dtype="F8_E4M3"), "unknown dtype 'F8_E4M3'"),
    "dtype in lower case": (entry(dtype="u8"), "unknown dtype 'u8'"),
    "dtype is a number": (entry(dtype=8), "unknown dtype 8"),
    "dtype is a list": (entry(dtype=["U8"]), "unknown dtype"),
    "wider dtype": (entry(dtype="U32"), "lies at|describes"),
    "negative axis": (entry(shape=[-5]), "impossible shape"),
    "two negative axes": (entry(shape=[-5, -1]), "impossible shape"),
    "axis is a float": (entry(shape=[5.0]), "impossible shape"),
    "axis is a bool": (entry(shape=[5, True]), "impossible shape"),
    "axis is text": (entry(shape=["5"]), "impossible shape"),
    "shape is null": (entry(shape=None), "impossible shape"),
    "shape is a number": (entry(shape=5), "impossible shape"),
    "shape is nested": (entry(shape=[[5]]), "impossible shape"),
    "nine axes": (entry(shape=[1] * 8 + [5]), "impossible shape"),
    "axis of 2**63": (entry(shape=[2**63]), "overflows 64 bits"),
    "shape that wraps to 5": (entry(shape=[2**32, 2**32, 5]), "overflows 64 bits"),
    "empty shape that overflows": (empty_with_an_overflowing_axis, "overflows 64 bits"),
    "ten thousand million items": (entry(shape=[10**10]), "lies at"),
    "one row too many": (entry(shape=[6], data_offsets=[11, 17]), "truncated"),
    "one row too few": (entry(shape=[4], data_offsets=[11, 15]), "trailing bytes"),
    "shape unlike offsets": (entry(shape=[4]), "lies at"),
    "negative offset": (entry(data_offsets=[-1, 4]), "offsets that are no list"),
    "reversed offsets": (entry(data_offsets=[16, 11]), "lies at"),
    "offsets beyond the file": (entry(data_offsets=[2**62, 2**62 + 5]), "lies at"),
    "offsets of 2**64 - 1": (entry(data_offsets=[2**64 - 1, 2**64 - 1]), "lies at"),
    "offsets overlap": (entry(data_offsets=[0, 5]), "lies at"),
    "offsets leave a hole": (entry(data_offsets=[12, 17]), "lies at"),
    "offset is a float": (entry(data_offsets=[11.0, 16]), "offsets that are no list"),
    "offset is a bool": (entry("scale", data_offsets=[False, 8]), "offsets that are no list"),
    "three offsets": (entry(data_offsets=[11, 16, 16]), "lies at"),
    "offsets are null": (entry(data_offsets=None), "offsets that are no list"),
    "arrays in another order": (
        lambda draft: (entry("bits", data_offsets=[13, 16])(draft),
                       entry("codes", data_offsets=[8, 13])(draft)), "other orders"),
    "name with a slash": (rename("../codes"), "is not allowed"),
    "name in Greek": (rename("κωδικός"), "is not allowed"),
    "empty name": (rename(""), "is not allowed"),
    "name of 100,000 letters": (rename("c" * 100_000), "is not allowed"),
    "bool that is neither": (last_bool_is_two, "neither 0 nor 1"),
}  # fmt: skip


def test_the_draft_itself_is_a_good_file(tmp_path: Path):
    path = tmp_path / "good"
    path.write_bytes(Draft().finish())
    contents = container.read(path, kind="segment")
    np.testing.assert_array_equal(contents.tensors["bits"], [True, False, True])
    container.write(tmp_path / "again", contents.tensors, kind="segment", params=contents.params)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_for_its_defect_within_bounded_memory(name: str, tmp_path: Path):
    mutate, message = BAD[name]
    draft = Draft()
    mutate(draft)
    path = tmp_path / "bad"
    path.write_bytes(draft.finish())
    size = path.stat().st_size
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message) as caught:
            container.read(path, kind="segment")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 1000
    assert peak < size + SLACK


@pytest.mark.parametrize("claim", [10**9, 2**30 - 8, MAX_HEADER + 8])
def test_a_huge_header_in_a_huge_file_is_refused_unread(claim: int, tmp_path: Path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", claim) + b'{"')
        file.truncate(2**30)  # takes no room on disk
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=f"claims a header of {claim} bytes"):
            container.read(path, kind="segment")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < SLACK


def test_a_forged_header_of_the_largest_size_stays_within_its_bound(tmp_path: Path):
    draft = Draft()
    swap('{"a":1}', '{"a":[' + "[]," * 330_000 + '[]],"b":NaN}')(draft)
    path = tmp_path / "forged"
    path.write_bytes(draft.finish())
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="is nan"):
            container.read(path, kind="segment")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 48 * MAX_HEADER


def test_there_are_at_least_sixty_bad_files():
    assert len(BAD) >= 60
