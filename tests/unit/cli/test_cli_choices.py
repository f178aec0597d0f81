from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from typer.testing import CliRunner

from fewbits.cli.app import app
from fewbits.vectors import Quantizer, quantizer_names, registry


@pytest.fixture
def toy(monkeypatch):
    """Register a quantizer for the time of one test: the registry is put back afterwards."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    @dataclasses.dataclass(kw_only=True, eq=False)
    class Toy(Quantizer, name="toy16"):
        """float16 bytes."""

        shift: float = 0.0

        def _fit(self, x):
            pass

        def _encode(self, x, threads):
            return (x + np.float32(self.shift)).astype("<f2").view(np.uint8)

        def _decode(self, codes):
            return codes.view("<f2").astype(np.float32) - np.float32(self.shift)

        def _code_size(self, d):
            return 2 * d

    return Toy


@pytest.mark.parametrize("command", ["quantize", "evaluate"])
def test_help_names_every_registered_quantizer(command):
    text = " ".join(CliRunner().invoke(app, [command, "--help"]).stdout.split())
    assert f"{', '.join(quantizer_names())}." in text
    assert "{quantizers}" not in text


@pytest.mark.parametrize("command", ["quantize", "evaluate"])
def test_a_new_quantizer_shows_in_help_without_an_edit(toy, command):
    assert "toy16" in CliRunner().invoke(app, [command, "--help"]).stdout


def test_a_new_quantizer_works_with_its_parameters(toy, tmp_path):
    x = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    args = ["quantize", str(tmp_path / "x.npy"), "-o", str(tmp_path / "i"), "--to", "toy16"]
    done = CliRunner().invoke(app, [*args, "--param", "shift=0.5", "--json"])
    assert done.exit_code == 0, done.output
    assert '"shift": 0.5' in done.stdout
    wrong = CliRunner().invoke(app, [*args, "--param", "shift=x"])
    assert wrong.exit_code == 2
    assert "shift must be a number" in wrong.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["quantize", "x.npy", "-o", "i", "--to", "int3"], "must be one of binary"),
        (["quantize", "x.npy", "-o", "i", "--rescore", "no"], "or none, got 'no'"),
        (["evaluate", "d", "--quantizers", "int8,int3"], "got 'int3'"),
        (["quantize", "x.npy", "-o", "i", "--metric", "dot"], "dot"),
    ],
)
def test_a_wrong_choice_is_wrong_usage(args, words):
    done = CliRunner().invoke(app, args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())
