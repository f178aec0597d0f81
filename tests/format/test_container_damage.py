"""Every truncation and every flipped bit of a container is noticed; nothing crashes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fewbits.errors import FormatError
from fewbits.storage import container

CONTENTS = {
    "segment": {
        "codes": np.arange(40, dtype=np.int8).reshape(4, 10),
        "ids": np.arange(4),
        "scale": np.array([0.25], np.float32),
    },
    "bits": {"codes": np.arange(6, dtype=np.uint8), "mask": np.array([True, False])},
    "empty": {"codes": np.zeros((0, 16), np.uint8)},
    "bare": {},
}
PARAMS = {"segment": {"quantizer": "int8", "step": 0.5}, "bits": {"a": 1}, "empty": {}, "bare": {}}


class Victim:
    """A file that is damaged in place: one open handle, so thousands of damages stay cheap."""

    def __init__(self, path: Path) -> None:
        self.path, self.raw = path, path.read_bytes()
        self.header = 8 + int.from_bytes(self.raw[:8], "little")
        self._handle = os.open(path, os.O_RDWR)

    def close(self) -> None:
        os.close(self._handle)

    def accepts(self, raw: bytes, verify: bool = True) -> bool:
        os.ftruncate(self._handle, len(raw))
        os.pwrite(self._handle, raw, 0)
        try:
            container.read(self.path, kind="segment", verify=verify)
        except FormatError as error:
            return not str(error).startswith(str(self.path))  # it must name the file
        return True

    def accepted_flips(self, size: int, verify: bool) -> list[int]:
        missed = []
        for bit in range(8 * size):
            damaged = bytearray(self.raw)
            damaged[bit // 8] ^= 1 << bit % 8
            if self.accepts(bytes(damaged), verify):
                missed.append(bit)
        return missed


@pytest.fixture(params=CONTENTS)
def victim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Victim]:
    path, name = tmp_path / "victim", request.param
    container.write(path, CONTENTS[name], kind="segment", params=PARAMS[name])
    victim = Victim(path)
    yield victim
    victim.close()


@pytest.mark.parametrize("verify", [True, False])
def test_every_truncation_is_noticed(victim: Victim, verify: bool) -> None:
    assert victim.accepts(victim.raw, verify)
    assert [n for n in range(len(victim.raw)) if victim.accepts(victim.raw[:n], verify)] == []


def test_every_flipped_bit_is_noticed(victim: Victim) -> None:
    assert victim.accepted_flips(len(victim.raw), verify=True) == []


def test_every_flipped_bit_of_the_header_is_noticed_without_reading_the_data(
    victim: Victim,
) -> None:
    assert victim.accepted_flips(victim.header, verify=False) == []


@pytest.mark.parametrize("value", [b"\0", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_every_overwritten_byte_and_word_is_noticed(victim: Victim, value: bytes) -> None:
    raw = victim.raw
    for at in range(len(raw) - len(value) + 1):
        damaged = raw[:at] + value + raw[at + len(value) :]
        assert damaged == raw or not victim.accepts(damaged), at


def test_every_lost_doubled_or_swapped_byte_is_noticed(victim: Victim) -> None:
    raw = victim.raw
    for at in range(len(raw)):
        lost = raw[:at] + raw[at + 1 :]
        doubled = raw[: at + 1] + raw[at:]
        swapped = raw[:at] + raw[at : at + 2][::-1] + raw[at + 2 :]
        for damaged in (lost, doubled, swapped):
            assert damaged == raw or not victim.accepts(damaged), at
