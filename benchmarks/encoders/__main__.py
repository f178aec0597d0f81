"""`python -m benchmarks.encoders COMMAND --help`."""

from __future__ import annotations

import importlib
import sys

_COMMANDS = {
    "run": ("compare", "all engines in turns: speed, waits, load time, memory"),
    "quality": ("quality", "cosine to float32, STS-B, SciFact, batch invariance"),
    "page": ("page", "write tables and pictures into the documents"),
}


def main() -> None:
    """Hand over to the command."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in _COMMANDS:
        print("python -m benchmarks.encoders COMMAND --help")
        for command, (_, words) in _COMMANDS.items():
            print(f"  {command:8} {words}")
        raise SystemExit(0 if name in ("-h", "--help") else 2)
    importlib.import_module(f"{__package__}.{_COMMANDS[name][0]}").main(sys.argv[2:])


main()
