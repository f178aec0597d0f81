from __future__ import annotations

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.numerics import pack, pack_trits, packed_size, trits_size, unpack, unpack_trits

WIDTHS = [8, 4, 2, 1]
CANONICAL = [(v * 256 + 242) // 243 for v in range(243)]


@pytest.mark.parametrize(
    ("bits", "codes", "packed"),
    [
        (8, [1, 2, 255], [1, 2, 255]),
        (4, [1, 2, 15], [0x12, 0xF0]),
        (2, [3, 0, 1, 2, 1], [0b11000110, 0b01000000]),
        (1, [1, 0, 0, 0, 0, 0, 0, 0, 1], [0x80, 0x80]),
    ],
)
def test_the_first_code_takes_the_high_bits(bits, codes, packed):
    assert pack(np.array([codes]), bits).tolist() == [packed]
    assert unpack(np.array([packed], np.uint8), bits, len(codes)).tolist() == [codes]


@pytest.mark.parametrize("d", [1, 7, 8, 9, 384])
def test_one_bit_is_numpys_packbits(d):
    codes = np.random.default_rng(d).integers(0, 2, (5, d))
    np.testing.assert_array_equal(pack(codes, 1), np.packbits(codes, axis=1))


@pytest.mark.parametrize("bits", WIDTHS)
def test_packing_agrees_with_one_long_binary_number(bits):
    codes = np.random.default_rng(bits).integers(0, 2**bits, (4, 13))
    for row, packed in zip(codes, pack(codes, bits), strict=True):
        text = "".join(format(code, f"0{bits}b") for code in row)
        text += "0" * (-len(text) % 8)
        assert packed.tobytes() == int(text, 2).to_bytes(len(text) // 8, "big")


@pytest.mark.parametrize(
    ("d", "bits", "size"), [(384, 8, 384), (384, 4, 192), (384, 1, 48), (1, 1, 1), (9, 2, 3)]
)
def test_the_packed_size_is_rounded_up(d, bits, size):
    assert packed_size(d, bits) == size


@pytest.mark.parametrize(("d", "size"), [(1, 1), (5, 1), (6, 2), (384, 77), (385, 77)])
def test_the_size_of_trits_is_rounded_up(d, size):
    assert trits_size(d) == size


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.uint32, ">i4", np.bool_])
def test_every_integer_type_packs_alike(dtype):
    codes = np.random.default_rng(0).integers(0, 2, (3, 11))
    np.testing.assert_array_equal(pack(codes.astype(dtype), 1), pack(codes, 1))
    np.testing.assert_array_equal(pack_trits(codes.astype(dtype)), pack_trits(codes))


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("bad", [-1, None])
def test_codes_out_of_range_are_refused(bits, bad):
    codes = np.zeros((2, 5), dtype=np.int64)
    codes[1, 4] = 2**bits if bad is None else bad
    with pytest.raises(InputError, match="must lie in"):
        pack(codes, bits)


@pytest.mark.parametrize("bad", [-1, 3, 255])
def test_digits_out_of_range_are_refused(bad):
    with pytest.raises(InputError, match=r"0\.\.2"):
        pack_trits(np.array([[0, bad]]))


@pytest.mark.parametrize(
    "codes", [np.zeros(4, np.uint8), np.zeros((2, 0), np.uint8), np.zeros((2, 2)), [["a"]]]
)
def test_what_is_no_matrix_of_integers_is_refused(codes):
    with pytest.raises(InputError, match="integers of shape"):
        pack(codes, 4)
    with pytest.raises(InputError, match="integers of shape"):
        pack_trits(codes)


@pytest.mark.parametrize("bits", [0, 3, 5, 16, -1, True, 8.5, None, "8"])
def test_other_widths_are_refused(bits):
    with pytest.raises(InputError, match="bits"):
        pack(np.zeros((1, 1), np.uint8), bits)
    with pytest.raises(InputError, match="bits"):
        packed_size(8, bits)


@pytest.mark.parametrize("d", [0, -1, 1.0, None])
def test_other_sizes_are_refused(d):
    with pytest.raises(InputError, match="d must"):
        packed_size(d, 8)
    with pytest.raises(InputError, match="d must"):
        trits_size(d)


@pytest.mark.parametrize(
    "packed",
    [np.zeros((1, 2), np.uint8), np.zeros((1, 4), np.uint8), np.zeros((1, 3), np.int8),
     np.zeros(3, np.uint8), np.zeros((1, 3, 1), np.uint8)],
)  # fmt: skip
def test_packed_rows_of_another_shape_or_type_are_refused(packed):
    with pytest.raises(InputError, match="packed must be uint8"):
        unpack(packed, 4, 5)
    with pytest.raises(InputError, match="packed must be uint8"):
        unpack_trits(packed, 15)


@pytest.mark.parametrize(("bits", "d"), [(4, 1), (2, 1), (2, 3), (1, 1), (1, 7)])
def test_each_pad_bit_that_is_set_is_refused(bits, d):
    for bit in range(8 - bits * d):
        packed = pack(np.full((2, d), 2**bits - 1), bits)
        packed[1, -1] |= 1 << bit
        with pytest.raises(InputError, match="pad bits"):
            unpack(packed, bits, d)
        assert (unpack(packed, bits, d, strict=False) == 2**bits - 1).all()


def test_every_group_of_five_digits_has_its_own_byte():
    digits = np.array([[v // 81, v // 27 % 3, v // 9 % 3, v // 3 % 3, v % 3] for v in range(243)])
    packed = pack_trits(digits)
    assert packed[:, 0].tolist() == CANONICAL
    assert len(set(CANONICAL)) == 243
    np.testing.assert_array_equal(unpack_trits(packed, 5), digits)
    for byte, row in zip(CANONICAL, digits, strict=True):
        assert [((byte * 3**k % 256) * 3) >> 8 for k in range(5)] == row.tolist()


def test_the_thirteen_bytes_that_encode_nothing_are_refused():
    strangers = sorted(set(range(256)) - set(CANONICAL))
    assert len(strangers) == 13
    for byte in strangers:
        packed = np.array([[CANONICAL[121]], [byte]], np.uint8)
        with pytest.raises(InputError, match=r"packed\[1, 0\]"):
            unpack_trits(packed, 5)
        assert unpack_trits(packed, 5, strict=False).max() <= 2


def test_pad_digits_stand_for_zero():
    np.testing.assert_array_equal(pack_trits([[2]]), pack_trits([[2, 1, 1, 1, 1]]))


@pytest.mark.parametrize("pad", [0, 2])
def test_other_pad_digits_are_refused(pad):
    packed = pack_trits([[2, 1, 1, 1, pad]])
    with pytest.raises(InputError, match="pad digits"):
        unpack_trits(packed, 4)
    assert unpack_trits(packed, 4, strict=False).tolist() == [[2, 1, 1, 1]]


@pytest.mark.parametrize("bits", WIDTHS)
def test_no_rows_pack_to_no_rows(bits):
    packed = pack(np.zeros((0, 9), np.uint8), bits)
    assert packed.shape == (0, packed_size(9, bits))
    assert unpack(packed, bits, 9).shape == (0, 9)


def test_no_rows_of_trits_pack_to_no_rows():
    assert unpack_trits(pack_trits(np.zeros((0, 9), np.uint8)), 9).shape == (0, 9)


@pytest.mark.parametrize("bits", WIDTHS)
def test_results_own_their_memory(bits):
    codes = np.zeros((2, 16), np.uint8)
    packed = pack(codes, bits)
    plain = unpack(packed, bits, 16)
    assert not np.shares_memory(codes, packed)
    assert not np.shares_memory(packed, plain)
    assert packed.flags.c_contiguous
    assert plain.flags.c_contiguous
