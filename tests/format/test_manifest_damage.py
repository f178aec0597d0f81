"""Every damage to the manifest is noticed, and what it names is compared with the files."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewbits.errors import FormatError, InputError
from fewbits.storage.container import Stamp
from fewbits.vectors import manifest
from fewbits.vectors.manifest import Manifest
from fewbits.vectors.store import Store

STAMP = Stamp("segment-3-0123456789abcdef.safetensors", 346, "4829734c")
OTHER = Stamp("tombstones-7-fedcba9876543210.safetensors", 8, "00000000")
GOOD = Manifest(7, {"metric": "cosine", "d": 384}, (("segment", STAMP), ("tombstones", OTHER)))


def accepted(raw: bytes) -> bool:
    try:
        manifest.decode(raw)
    except FormatError:
        return False
    return True


def test_a_manifest_comes_back_and_gives_equal_bytes():
    raw = manifest.encode(GOOD)
    assert manifest.decode(raw) == GOOD
    assert manifest.encode(manifest.decode(raw)) == raw


def test_every_truncation_is_noticed():
    raw = manifest.encode(GOOD)
    assert [n for n in range(len(raw)) if accepted(raw[:n])] == []


def test_every_flipped_bit_is_noticed():
    raw = manifest.encode(GOOD)
    missed = []
    for bit in range(8 * len(raw)):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        if accepted(bytes(damaged)):
            missed.append(bit)
    assert missed == []


def test_every_lost_doubled_or_overwritten_byte_is_noticed():
    raw = manifest.encode(GOOD)
    for at in range(len(raw)):
        for middle in (b"", raw[at : at + 1] * 2, b"\0", b" ", b"\xff", b"0"):
            damaged = raw[:at] + middle + raw[at + 1 :]
            assert damaged == raw or not accepted(damaged), (at, middle)


def forged(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Return a changed manifest with a matching checksum."""
    body = json.loads(manifest.encode(GOOD))
    del body["checksum"]
    change(body)
    checksum = f"{zlib.crc32(dumps(body)):08x}"
    return dumps({**body, "checksum": checksum} if "checksum" not in body else body)


def dumps(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def file(**keys: Any) -> bytes:
    return forged(lambda body: body["files"][0].update(keys))


def top(**keys: Any) -> bytes:
    return forged(lambda body: body.update(keys))


BAD = {
    "empty": (b"", "not valid JSON"),
    "null": (b"null", "not of the format"),
    "a list": (b"[]", "not of the format"),
    "another's": (b'{"name":"my app","version":"1.0"}', "not of the format"),
    "indented": (json.dumps(json.loads(manifest.encode(GOOD)), indent=1).encode(), "canonical"),
    "a final newline": (manifest.encode(GOOD) + b"\n", "canonical"),
    "nested 100,000 deep": (b"[" * 100_000 + b"]" * 100_000, "not valid JSON"),
    "17 megabytes": (b" " * (17 << 20), "longer than"),
    "wrong checksum": (top(checksum="00000000"), "checksum differs"),
    "checksum is a number": (top(checksum=0), "checksum differs"),
    "another format": (top(format="fewbits"), "not of the format"),
    "version 2": (top(version=2), "version 2, this fewbits reads 1; open it with"),
    "version 2 with a new key": (top(version=2, shards=[]), "version 2"),
    "version as bool": (top(version=True), "version True"),
    "unknown key": (top(shards=[]), "must have the keys"),
    "no params": (forged(lambda body: body.pop("params")), "must have the keys"),
    "params are a list": (top(params=[]), "params an object"),
    "generation 0": (top(generation=0), "generation must be"),
    "generation -1": (top(generation=-1), "generation must be"),
    "generation 2**63": (top(generation=2**63), "generation must be"),
    "generation as text": (top(generation="7"), "generation must be"),
    "generation as float": (top(generation=7.0), "generation must be"),
    "files are an object": (top(files={}), "files must be a list"),
    "a file is text": (top(files=["a"]), "must have header, kind, name and size"),
    "a file has more keys": (file(url="x"), "must have header, kind, name and size"),
    "a file is listed twice": (forged(lambda b: b["files"].append(b["files"][0])), "file twice"),
    "a name leads out": (file(name="../segment-3-0123456789abcdef.safetensors"), "no name that"),
    "a name is absolute": (file(name="/etc/passwd"), "no name that"),
    "a name has a newline": (file(name=STAMP.name + "\n"), "no name that"),
    "a name is null": (file(name=None), "no name that"),
    "a kind is unlike the name": (file(kind="tombstones"), "no name that"),
    "a kind is null": (file(kind=None), "no name that"),
    "a size is negative": (file(size=-1), "impossible size"),
    "a size is a float": (file(size=346.0), "impossible size"),
    "a size overflows": (file(size=2**63), "impossible size"),
    "a header is in upper case": (file(header="4829734C"), "impossible size or checksum"),
    "a header is a number": (file(header=4829734), "impossible size or checksum"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manifest_is_refused_for_its_defect(name: str, tmp_path: Path):
    raw, message = BAD[name]
    (tmp_path / manifest.NAME).write_bytes(raw)
    with pytest.raises(FormatError, match=message) as caught:
        Store(tmp_path).read()
    assert str(caught.value).startswith(f"{tmp_path / manifest.NAME}: ")


def test_a_manifest_that_claims_much_allocates_nothing(tmp_path: Path):
    (tmp_path / manifest.NAME).write_bytes(file(size=2**60))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="a file that the manifest lists is missing"):
            Store(tmp_path).read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_a_manifest_too_long_to_be_read_is_not_written():
    with pytest.raises(InputError, match="compact the index"):
        manifest.encode(Manifest(1, {"a": "x" * manifest.MAX_BYTES}, ()))


def saved(folder: Path) -> list[Path]:
    store = Store(folder)
    with store.writer(None) as writer:
        writer.add("segment", {"codes": np.arange(12, dtype=np.uint8)}, {"a": 1})
        writer.add("segment", {"codes": np.arange(1, 13, dtype=np.uint8)}, {"a": 1})
        snapshot = writer.commit({})
    return [folder / entry.name for entry in snapshot.files]


def test_two_files_that_change_places_are_noticed(tmp_path: Path):
    first, second = saved(tmp_path)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    with pytest.raises(FormatError, match="another file took its place"):
        Store(tmp_path).read()


def test_a_listed_file_that_is_gone_is_noticed(tmp_path: Path):
    _, second = saved(tmp_path)
    second.unlink()
    with pytest.raises(FormatError, match=r"manifest lists is missing .*" + second.name):
        Store(tmp_path).read()


def test_every_flipped_bit_of_every_file_of_an_index_is_noticed(tmp_path: Path):
    files = [*saved(tmp_path), tmp_path / manifest.NAME]
    missed = []
    for path in files:
        raw = path.read_bytes()
        with path.open("r+b", buffering=0) as handle:
            for at in range(len(raw)):
                handle.seek(at)
                handle.write(bytes([raw[at] ^ 1 << at % 8]))  # one bit per byte, all eight in turn
                try:
                    Store(tmp_path).read()
                    missed.append((path.name, at))
                except FormatError:
                    pass
                handle.seek(at)
                handle.write(raw[at : at + 1])
    assert missed == []
    assert len(Store(tmp_path).read().files) == 2
