"""``python -m tests.fuzz TARGET [--seconds N] [--replay FILE]``: fuzz one target with atheris (see README.md)."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS, Target

_MAX_BYTES = 33 * 1024  # a little more than the largest document
_MEMORY_MIB = 512
_TIMEOUT_S = 5


def main() -> None:
    """Fuzz until a finding, or for so long; libFuzzer ends the process, with its own exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"))
    parser.add_argument("--replay", type=Path, help="only this input")
    arguments = parser.parse_args()
    if arguments.replay is not None:
        importlib.import_module(f"tests.fuzz.{arguments.target}").one_input(arguments.replay.read_bytes())
        return
    folder = arguments.folder / arguments.target
    _fuzz(arguments.target, folder, arguments.seconds)


def _fuzz(name: str, folder: Path, seconds: int) -> None:
    atheris = importlib.import_module("atheris")  # without types, and only in the fuzzing environment
    with atheris.instrument_imports(include=["attestation", "enclave", "strongroom"]):
        target: Target = importlib.import_module(f"tests.fuzz.{name}")
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (inputs / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": _MAX_BYTES,
        "rss_limit_mb": _MEMORY_MIB,
        "timeout": _TIMEOUT_S,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(inputs)], target.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
