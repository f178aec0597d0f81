"""Every kernel at every CPU level returns the bits of the numpy specification."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from functools import cache

import numpy as np
import pytest
from variants import at_every_level, level, same_bits

from fewbits.errors import KernelError
from fewbits.vectors import kernels, set_simd_level, simd_level, simd_levels, specification
from fewbits.vectors.form import LinearForm
from fewbits.vectors.queries import prepare

# name -> (packing, low, high, zero, gain, planes, hamming)
PACKINGS = {
    "i8": ("i8", -127, 127, 0, 1, 2, False),
    "i8-all": ("i8", -128, 127, -128, 1, 2, False),
    "u4": ("u4", 0, 15, 8, 1, 2, False),
    "trit": ("trit", 0, 2, 1, 1, 1, False),
    "b1": ("b1", 0, 1, 1, 2, 1, False),
    "b1-two-planes": ("b1", 0, 1, 1, 2, 2, False),
    "hamming": ("b1", 0, 1, 1, 2, 1, True),
    "f16": ("f16", 0, 0, 0, 1, 2, False),
}
LENGTHS = [*range(1, 36), 39, 40, 47, 48, 49, 55, 63, 64, 65, 79, 80, 81, 95, 96, 97, 127, 128, 129]
LENGTHS += [159, 160, 161, 255, 256, 257, 319, 320, 321, 511, 513, 640, 1023, 1025]
PATTERNS = ["all least", "all most", "alternating", "random"]

# What follows the payload: nothing, alpha, alpha and beta, alpha and nu, or nu alone. Together
# with odd lengths, rows start at every offset modulo 64.
FACTORS = [
    {"metric": "ip"},
    {"metric": "cosine", "step_rule": "row"},
    {"metric": "ip", "correct": True, "mean": 0.25},
    {"metric": "l2", "correct": True, "mean": 0.25},
    {"metric": "l2"},
]


def form_of(packing: str, d: int, factors: int) -> LinearForm:
    name, low, high, zero, gain, planes, hamming = PACKINGS[packing]
    chosen = dict(FACTORS[4 * (factors % 2) if name == "f16" else factors])
    mean = np.full(d, chosen.pop("mean", 0.0), np.float32)
    step = (0.5 + np.arange(d) % 7 / 8).astype(np.float32)
    full = np.full(d, zero, np.float32)
    return LinearForm(
        packing=name, d=d, low=low, high=high, mean=mean, step=step, zero=full, gain=gain,
        planes=planes, hamming=hamming, **chosen,
    )  # fmt: skip


def codes_of(form: LinearForm, pattern: str, n: int) -> np.ndarray:
    rng = np.random.default_rng([form.d, n])
    if form.packing == "f16":
        return half_codes(form, pattern, n, rng)
    low, high = int(form.low), int(form.high)
    u = {
        "all least": np.full((n, form.d), low),
        "all most": np.full((n, form.d), high),
        "alternating": np.where(np.arange(n * form.d).reshape(n, form.d) % 2, low, high),
        "random": rng.integers(low, high + 1, (n, form.d)),
    }[pattern]
    return with_factors(form, specification.pack_stored(u.astype(np.float32), form), rng)


def half_codes(form, pattern, n, rng):
    ordinary = rng.standard_normal((n, form.d))
    halves = {
        "all least": np.full((n, form.d), -65504.0),
        "all most": np.full((n, form.d), 65504.0),
        "alternating": np.where(np.arange(n * form.d).reshape(n, form.d) % 2, 6e-8, -1.0),
        "random": ordinary * 2.0 ** rng.integers(-24, 12, (n, form.d)),
    }[pattern].astype("<f2")
    return with_factors(form, np.ascontiguousarray(halves).view(np.uint8), rng)


def with_factors(form, payload, rng):
    count = form.alpha + form.beta + form.nu
    if count == 0:
        return payload
    tail = rng.uniform(0.5, 2, (len(payload), count)).astype("<f4")
    return np.ascontiguousarray(np.hstack([payload, tail.view(np.uint8).reshape(-1, 4 * count)]))


def queries_of(d: int) -> np.ndarray:
    rng = np.random.default_rng(d)
    signs = np.where(np.arange(d) % 2, 1.0, -1.0)
    return np.vstack([np.ones(d), -np.ones(d), signs, rng.standard_normal(d)]).astype(np.float32)


@cache
def expected_scores(packing: str, d: int, pattern: str):
    number = LENGTHS.index(d) + PATTERNS.index(pattern) if d in LENGTHS else 0
    form = form_of(packing, d, number % len(FACTORS))
    codes = codes_of(form, pattern, 1 + number % 9)
    q = queries_of(d)
    return form, codes, q, specification.score(prepare(q, form), codes, form)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("d", LENGTHS)
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("at", simd_levels())
def test_scores_of_any_length_and_alignment(at, packing, d, pattern):
    form, codes, q, expected = expected_scores(packing, d, pattern)
    with level(at):
        assert same_bits(kernels.score(q, codes, form), expected)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("at", simd_levels())
def test_no_accumulator_overflows_at_the_largest_width(at, packing, pattern):
    form, codes, q, expected = expected_scores(packing, 65_535, pattern)
    assert np.isfinite(expected).all()
    with level(at):
        assert same_bits(kernels.score(q, codes[:1], form), expected[:, :1])


def test_the_specification_counts_the_largest_width_right():
    form = form_of("i8-all", 65_535, 0)
    codes = codes_of(form, "all most", 1)  # c = 127 + 128 in every dimension
    found = specification.score(prepare(queries_of(65_535)[:1], form), codes, form)
    exact = 255 * form.step.astype(np.float64).sum()
    assert abs(found[0, 0] - exact) < 1e-3 * exact


COUNTS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 511, 512, 513, 1000]


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("at", simd_levels())
def test_any_number_of_rows_is_scored_and_ranked(at, packing, n):
    form = form_of(packing, 37, n % len(FACTORS))
    codes = codes_of(form, "random", n)
    codes[n // 2] = codes[0]  # a tie
    q = queries_of(37)
    expected = specification.score(prepare(q, form), codes, form)
    k = min(n, 20)
    order = np.lexsort((np.broadcast_to(np.arange(n), expected.shape), -expected), axis=1)[:, :k]
    with level(at):
        assert same_bits(kernels.score(q, codes, form), expected)
        scores, rows = kernels.search(q, codes, form, k)
    assert np.array_equal(rows, order)
    assert same_bits(scores, np.take_along_axis(expected, order, axis=1))


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8, 9, 16, 17, 31, 64, 65])
@pytest.mark.parametrize("packing", [p for p in PACKINGS if p != "f16"])
@pytest.mark.parametrize("at", simd_levels())
def test_one_different_code_is_never_lost(at, packing, d):
    """A kernel that skips or doubles a dimension is caught here whatever the others hold."""
    form = form_of(packing, d, 0)
    low, high = form.low, form.high
    u = np.full((d + 1, d), low, np.float32)
    u[np.arange(1, d + 1), np.arange(d)] = high
    codes = specification.pack_stored(u, form)
    q = np.ones((1, d), np.float32)
    with level(at):
        scores = kernels.score(q, codes, form)[0].astype(np.float64)
    if form.hamming:
        assert np.allclose(scores[1:] - scores[0], 2 * scores[0] / -d, rtol=1e-5)
        return
    gained = (high - low) * form.gain * form.step.astype(np.float64)
    assert np.all(
        np.abs(scores[1:] - scores[0] - gained) <= gained * 0.02 + 1e-4 * np.abs(scores[0])
    )


BAD_FACTORS = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45]


@pytest.mark.parametrize("value", BAD_FACTORS)
@pytest.mark.parametrize(
    ("packing", "factors"),
    [(p, f) for p in PACKINGS for f in range(1, len(FACTORS)) if p != "f16" or f % 2],
)
def test_factors_that_no_encoder_wrote_still_give_k_rows(packing, factors, value):
    form = form_of(packing, 19, factors)
    codes = codes_of(form, "random", 300)
    tail = np.full((100, (form.code_size - form.payload) // 4), value, "<f4")
    codes[100:200, form.payload :] = tail.view(np.uint8)
    for scores, rows in at_every_level(lambda: kernels.search(queries_of(19), codes, form, 250)):
        assert scores.shape == rows.shape == (4, 250)
        assert all(len(set(line)) == 250 for line in rows.tolist())
        assert not np.isnan(scores).any()


@pytest.mark.parametrize("packing", ["trit", "i8", "u4", "b1", "f16"])
def test_bytes_that_no_encoder_wrote_do_not_crash(packing):
    form = form_of(packing, 33, 0)
    every = np.resize(np.arange(256, dtype=np.uint8), (300, form.code_size))
    for scores, rows in at_every_level(lambda: kernels.search(queries_of(33), every, form, 300)):
        assert scores.shape == (4, 300)
        assert all(sorted(line) == list(range(300)) for line in rows.tolist())


def test_levels_are_named_and_chosen(restored_level):
    assert simd_levels()[0] == "scalar"
    for name in simd_levels():
        set_simd_level(name)
        assert simd_level() == name
    with pytest.raises(KernelError, match="must be one of scalar"):
        set_simd_level("sse9")
    assert simd_level() == simd_levels()[-1]


def in_python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", simd_levels())
def test_the_environment_chooses_the_level(name):
    done = in_python("import fewbits; print(fewbits.simd_level())", FEWBITS_SIMD=name)
    assert done.stdout.strip() == name


def test_an_impossible_level_in_the_environment_is_an_error():
    done = in_python("import fewbits; fewbits.simd_level()", FEWBITS_SIMD="sse9")
    assert done.returncode != 0
    assert "KernelError: FEWBITS_SIMD='sse9' is not available here" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
def test_no_kernel_reads_a_byte_beyond_the_codes():
    """Codes end at a page that must not be touched; reading there would end the process."""
    done = in_python(
        """
        import ctypes, mmap, sys
        import numpy as np
        sys.path.insert(0, "tests/conformance")
        from test_every_kernel import PACKINGS, codes_of, form_of, queries_of
        from variants import level
        from fewbits.vectors import kernels, simd_levels
        page = mmap.PAGESIZE
        memory = mmap.mmap(-1, 3 * page)
        at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        libc = ctypes.CDLL(None, use_errno=True)
        for edge in (at, at + 2 * page):
            assert libc.mprotect(ctypes.c_void_p(edge), page, 0) == 0
        middle = np.frombuffer(memory, np.uint8)[page : 2 * page]
        done = 0
        for name in simd_levels():
            with level(name):
                for packing in PACKINGS:
                    for d in [*range(1, 70), 127, 129, 200]:
                        form = form_of(packing, d, 0)
                        codes = codes_of(form, "random", 3)
                        for start in (0, page - codes.size):
                            placed = middle[start : start + codes.size].reshape(codes.shape)
                            placed[:] = codes
                            q = queries_of(d)
                            found = kernels.score(q, placed, form)
                            assert np.array_equal(found, kernels.score(q, codes, form))
                            kernels.search(q, placed, form, 2)
                            kernels.search(q, placed, form, 2, np.array([0, 2]))
                            kernels.score_rows(q, placed, np.array([[2]] * 4), form)
                            done += 1
        print("done", done)
        """
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("done")
