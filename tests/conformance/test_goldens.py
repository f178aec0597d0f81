"""The bytes of today, frozen: the same integers in give the same codes on every machine, forever.

A change here is a change of the format: old indexes would answer differently. It needs a new
format version, not new constants.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from trellisplans import quantizer_of, remainder_of, rows
from variants import Variant, at_every_level, cases

from fewbits.vectors.form import METRICS

GOLDEN: dict[str, str] = {
    "binary-default-cosine": "1605f0aaac2743a5c880182c",
    "binary-default-ip": "04d30ed00cb74d1d11887e65",
    "binary-default-l2": "7ce2b57b402aa44c224a2cc3",
    "binary-plain-cosine": "a376991fa1a2d7dc1ba27c15",
    "binary-plain-ip": "dbd706a591ca38cf802aebd1",
    "binary-plain-l2": "8fc685c0563dcd204aa664bf",
    "binary-bits-cosine": "651d44693a5db4aef9c38805",
    "binary-bits-ip": "3fb0146f59af2c95680a8a7c",
    "binary-bits-l2": "b807695732317190754f6e98",
    "binary-plain-bits-cosine": "bbbfb4e7fadd6616e874776c",
    "binary-plain-bits-ip": "96e300f46f9153b0ed0f02e3",
    "binary-plain-bits-l2": "c621c28dc4f4ad7dba245388",
    "binary-dynamic-cosine": "41551ffeacd40cec8f1c6782",
    "binary-dynamic-ip": "9b0d95f52b8fd628b9f9fd6a",
    "binary-dynamic-l2": "620b6761039e9b7e99dcf3cb",
    "binary-dynamic-plain-cosine": "f454f40bb91445a2d45ef1fd",
    "binary-dynamic-plain-ip": "977465cb9e488d1e21560814",
    "binary-dynamic-plain-l2": "a11059af2450b07457d473a2",
    "binary-dynamic-bits-cosine": "681b90dc35a8663dd432b6a2",
    "binary-dynamic-bits-ip": "d2ec3751d0ba802e7509c90d",
    "binary-dynamic-bits-l2": "2b4477c211141b7fd5dae1a7",
    "binary-tensor-cosine": "facd2945375b25164a77ead9",
    "binary-tensor-ip": "7c5048d11d3104b1e41e0917",
    "binary-tensor-l2": "5a37342c719a2e41dfdc5421",
    "binary-group-cosine": "80ef6399663c4e6927eb5d97",
    "binary-group-ip": "c13e2755e5dbcd86a5671bc9",
    "binary-group-l2": "b889cddc90c69a41edd2bb0e",
    "binary-stochastic-cosine": "2ce07c402719a7cae20b0a3d",
    "binary-stochastic-ip": "483328fdf43cace5c5155d86",
    "binary-stochastic-l2": "fdc1a3d03e31b523070247fd",
    "binary-stochastic-dynamic-cosine": "954306fd1dd676d6f48366cf",
    "binary-stochastic-dynamic-ip": "f0bad55664b83364466efbf0",
    "binary-stochastic-dynamic-l2": "00e1a4d4b1ba4382a6e63b18",
    "float16-default-cosine": "142880df352c3d497373634c",
    "float16-default-ip": "2e982d717f8135ad0f272175",
    "float16-default-l2": "0d67c64ef4355dbe51e82715",
    "int4-default-cosine": "50a39fe8fbb9cbebaaab3c22",
    "int4-default-ip": "e681504b6c3e8a54cd960520",
    "int4-default-l2": "efd00fe33447c92d6799bb48",
    "int4-plain-cosine": "31d96f173d1e090c0e6aee4a",
    "int4-plain-ip": "6eaadc20a22453a87dff82d6",
    "int4-plain-l2": "297b74e46c7d4349b41606cf",
    "int4-dynamic-cosine": "b6d3f36859394981dee8c6e2",
    "int4-dynamic-ip": "6b0ac8aa380d6ce8fd4a27f3",
    "int4-dynamic-l2": "152b8e49bd15210dbbe77d10",
    "int4-dynamic-plain-cosine": "110634d75d1d740565ef0a22",
    "int4-dynamic-plain-ip": "c7f89b60868d1efc3be5a046",
    "int4-dynamic-plain-l2": "9dc906c6b77a31358646593e",
    "int4-dynamic-asymmetric-cosine": "d1a5cd16fe8383447ff6fc80",
    "int4-dynamic-asymmetric-ip": "ced9880303bd3dcce2afcf1f",
    "int4-dynamic-asymmetric-l2": "95f7c631680460c6b57f7fec",
    "int4-asymmetric-cosine": "c3a61ed071d8d1b6fc88eca1",
    "int4-asymmetric-ip": "abb05bad7dd9409f11611c6f",
    "int4-asymmetric-l2": "1e689369738172378ee7dd2b",
    "int4-asymmetric-plain-cosine": "994c6aef3115363330c9e64e",
    "int4-asymmetric-plain-ip": "6583f538a23605acc39510af",
    "int4-asymmetric-plain-l2": "a6f4c16c3d6e8f7e53d061b7",
    "int4-tensor-cosine": "bef5c7194894eacf480d50e4",
    "int4-tensor-ip": "c29ef5be1262339f405c4899",
    "int4-tensor-l2": "1c71b6abed04d03d208960f2",
    "int4-group-cosine": "ddba66e5681513445a9e6b2f",
    "int4-group-ip": "5052cdec05fe99d0684a6598",
    "int4-group-l2": "ca008c8ee80b91cd6bfaa612",
    "int4-stochastic-cosine": "16bddaad1c00fb8c0d0c8968",
    "int4-stochastic-ip": "be48c406ebdcc65b2bd97464",
    "int4-stochastic-l2": "66408da6ace4569c8afad149",
    "int8-default-cosine": "2cf5998172bca476336490e9",
    "int8-default-ip": "841f40e340f4b9e050a60df6",
    "int8-default-l2": "eb7f86bd7e85a5274643b67f",
    "int8-dynamic-cosine": "e0a97f10edfb0b49c254d8b5",
    "int8-dynamic-ip": "945885eb228b32928aeeac0c",
    "int8-dynamic-l2": "49cc5f00372056521d1611e6",
    "int8-dynamic-corrected-cosine": "5443c5a85929bfb6b5a7aa21",
    "int8-dynamic-corrected-ip": "a56bf76eb640c1bf60269fb8",
    "int8-dynamic-corrected-l2": "8cd2d416ce71220bea44b7f7",
    "int8-asymmetric-cosine": "62b2ba771d1251a877742d47",
    "int8-asymmetric-ip": "ff709ccc76acc78702872c70",
    "int8-asymmetric-l2": "8882e6985351bd83036153ce",
    "int8-asymmetric-full-cosine": "5509ade986b01ff93f7e38ee",
    "int8-asymmetric-full-ip": "1de9136a022f3f0a385e748f",
    "int8-asymmetric-full-l2": "f25d48d52b58aed48e260ec0",
    "int8-dynamic-asymmetric-cosine": "4077cdf0a54296abd7dbcc58",
    "int8-dynamic-asymmetric-ip": "83164a43e64d996b060cebc1",
    "int8-dynamic-asymmetric-l2": "83bf71f5d6358011f8130951",
    "int8-dimension-cosine": "f6d4523f4615f98ebb1788db",
    "int8-dimension-ip": "55a94f45cf349c810f421ffd",
    "int8-dimension-l2": "d43b14d33f6b6cdd25f1f639",
    "int8-group-cosine": "fddb7ead7c986f845fe8c266",
    "int8-group-ip": "841f40e340f4b9e050a60df6",
    "int8-group-l2": "eb7f86bd7e85a5274643b67f",
    "int8-full-cosine": "e59f1f464c714aac3550378d",
    "int8-full-ip": "1c984a58941176370bdbe1ed",
    "int8-full-l2": "0b09f023ec73c13c184f83c8",
    "int8-centred-cosine": "4ebacf2847688370a3d6f171",
    "int8-centred-ip": "b52307c9b6cec21c2c9a9b98",
    "int8-centred-l2": "68fe66f6b1fa50f20a927d05",
    "int8-corrected-cosine": "9882b8292c58d82d454df6ff",
    "int8-corrected-ip": "299fef0488f84dc77bbd16fd",
    "int8-corrected-l2": "2a2de9dd3a630055a0628562",
    "int8-stochastic-cosine": "3230f7097565bc26f62b20a3",
    "int8-stochastic-ip": "c744eed8b617331bc8b2b480",
    "int8-stochastic-l2": "d5d1021842cd1e0b07582b5b",
    "int8-minmax-cosine": "daadb7d57ceeb6efdec46085",
    "int8-minmax-ip": "841f40e340f4b9e050a60df6",
    "int8-minmax-l2": "eb7f86bd7e85a5274643b67f",
    "int8-percentile-cosine": "739e02381b83ce23384a8cdb",
    "int8-percentile-ip": "625adeab3231e9645d2b5b64",
    "int8-percentile-l2": "458ceb3b5ee33a2ac6e70389",
    "int8-entropy-cosine": "daadb7d57ceeb6efdec46085",
    "int8-entropy-ip": "841f40e340f4b9e050a60df6",
    "int8-entropy-l2": "eb7f86bd7e85a5274643b67f",
    "int8-moving-average-cosine": "daadb7d57ceeb6efdec46085",
    "int8-moving-average-ip": "841f40e340f4b9e050a60df6",
    "int8-moving-average-l2": "eb7f86bd7e85a5274643b67f",
    "ternary-default-cosine": "6419d56e4b70243a58ff1b0f",
    "ternary-default-ip": "3b7d696d84b351be0e96c44d",
    "ternary-default-l2": "043ea76ae936715024258a1e",
    "ternary-plain-cosine": "f55e330a7378c67981a81cec",
    "ternary-plain-ip": "35da4c3f1dc8ecfb96b1fb61",
    "ternary-plain-l2": "42b62e0c8e398572e475e57f",
    "ternary-centred-cosine": "b65cde0b03d01486c08ecd61",
    "ternary-centred-ip": "3a3243c361925cea5a4f8466",
    "ternary-centred-l2": "872f9be38f9345d0a2a1fad4",
    "ternary-dynamic-cosine": "d87241fd1cedfc900a303737",
    "ternary-dynamic-ip": "0319a64127b1f91e84d3e21c",
    "ternary-dynamic-l2": "a66af54d3ba86f2f1950f7e4",
    "ternary-dynamic-plain-cosine": "45b269d447a9fa2cdfca4fa4",
    "ternary-dynamic-plain-ip": "122766868fcb7bbd3b78dd9d",
    "ternary-dynamic-plain-l2": "58bb5504e3c0d2b23d5bd38d",
    "ternary-tensor-cosine": "48878978c986754b96abfd2c",
    "ternary-tensor-ip": "768a91164017b77c53a6be31",
    "ternary-tensor-l2": "58f722caacdb3588a3745df7",
    "ternary-group-cosine": "9ee8589b3d3561a764e0382b",
    "ternary-group-ip": "7c0f9e535377e5c7bfd1f45d",
    "ternary-group-l2": "b85cc94f1bbd7e3f049ce1da",
    "ternary-stochastic-cosine": "78264005687f217c3b1ec983",
    "ternary-stochastic-ip": "f4643bd5d3a1cfde7cd74bd8",
    "ternary-stochastic-l2": "438eeb985da837c3b2c304be",
}


def fixture(n: int, d: int, shift: int) -> np.ndarray:
    """Rows of small dyadic fractions, from integer arithmetic alone."""
    i, j = np.arange(shift, shift + n)[:, None], np.arange(d)[None, :]
    mixed = (i * 7919 + j * 104_729 + i * j * 31 + (i * i) % 257 * (j % 13)) % 2039
    return ((mixed - 1019) / 256).astype(np.float32)


def digest(variant: Variant) -> list[str]:
    quantizer = variant.make(40).fit(fixture(300, 40, 0))
    x, q = fixture(50, 40, 1000), fixture(3, 40, 5000)

    def run() -> str:
        codes = quantizer.encode(x)
        whole = codes.tobytes() + quantizer.score(q, codes).astype("<f4").tobytes()
        return hashlib.sha256(whole).hexdigest()[:24]

    return at_every_level(run)


@pytest.mark.parametrize("variant", [v for v in cases() if str(v) in GOLDEN], ids=str)
def test_codes_and_scores_are_those_of_the_first_release(variant):
    assert set(digest(variant)) == {GOLDEN[str(variant)]}


# What these learn comes from LAPACK, whose last bits differ between machines: state is given.
PLANS = {
    "all-widths": {},
    "one-centroid": {"lists": 1},
    "two-id-bytes": {"lists": 300},
    "byte-scalars": {"scalar_bytes": 1},
    "float32-scalars": {"scalar_bytes": 4},
    "one-bit": {"widths": (1,) * 7},
    "padded": {"d": 29, "widths": (2, 3, 8, 12)},
}
PLANNED: dict[str, str] = {
    "trellis-all-widths-cosine": "4f2327fda7bd7fb80991ac92",
    "trellis-all-widths-ip": "d23a2485918e81f97a249720",
    "trellis-all-widths-l2": "f135b855d21f3321a6967f4d",
    "trellis-one-centroid-cosine": "59fedd8797eceb7894a3f9af",
    "trellis-one-centroid-ip": "141f8586068bea0910f30264",
    "trellis-one-centroid-l2": "296e75199e6529076893afee",
    "trellis-two-id-bytes-cosine": "7b786679ebb331db859797be",
    "trellis-two-id-bytes-ip": "7ef1eb9427e5057e28b70458",
    "trellis-two-id-bytes-l2": "fb75964c230336a809c389a2",
    "trellis-byte-scalars-cosine": "7f8923fd79cf36b9e3c42551",
    "trellis-byte-scalars-ip": "e71e2c189eecad2c158b29c7",
    "trellis-byte-scalars-l2": "b522130dc42823b5ed86e584",
    "trellis-float32-scalars-cosine": "22d8d159498f07921d82e0a5",
    "trellis-float32-scalars-ip": "f4028d0400e746b8e88cba82",
    "trellis-float32-scalars-l2": "8ed6e4ddb9953548b74761a8",
    "trellis-one-bit-cosine": "bc97a791bf8a90cc2bb632dc",
    "trellis-one-bit-ip": "c2d2abecf11c6b16f365220c",
    "trellis-one-bit-l2": "1be6eeb97d4edc5c6ef030d6",
    "trellis-padded-cosine": "a988d9d0ec3a38cb7153438f",
    "trellis-padded-ip": "fdf069db9d90d49bc3ae53a4",
    "trellis-padded-l2": "d22c51837988fc4a5da34551",
}


def planned(label: str, metric: str) -> list[str]:
    """Return the digest of codes of both tiers and their scores, at every level."""
    shape = PLANS[label]
    d = shape.get("d", 56)
    x, q = rows(50, d, 1000), rows(3, d, 5000)
    first = quantizer_of(metric, **shape)
    second = remainder_of(metric, first, **{k: v for k, v in shape.items() if k != "lists"})

    def run() -> str:
        codes = first.encode(x)
        again = second.encode_after(x, codes, 1)
        every = np.tile(np.arange(50), (3, 1))
        scores = [first.score(q, codes), second.rescan_after(q, again, every, codes, 1)]
        decoded = [first.decode(codes), second.decode_after(again, codes)]
        whole = [codes, again, *(found.astype("<f4") for found in (*scores, *decoded))]
        return hashlib.sha256(b"".join(part.tobytes() for part in whole)).hexdigest()[:24]

    return at_every_level(run)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("label", PLANS)
def test_codes_and_scores_of_a_given_plan_are_those_of_the_first_release(label, metric):
    assert set(planned(label, metric)) == {PLANNED[f"trellis-{label}-{metric}"]}


def test_every_kind_and_packing_rule_is_frozen():
    assert {v.kind for v in cases()} == {name.split("-")[0] for name in (*GOLDEN, *PLANNED)}
    assert len(GOLDEN) >= 100
    assert len(PLANNED) == len(PLANS) * len(METRICS)
