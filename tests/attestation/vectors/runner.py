"""Drive a verifier's command line with the committed vectors, and say where it answers otherwise."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.attestation.vectors.case import ACCEPTED, POLICY_ERROR, REJECTED
from tests.attestation.vectors.suite import FOLDER

DEPTHS = ("code", "class", "verdict")

_EXIT_CODES = {ACCEPTED: 0, REJECTED: 1, POLICY_ERROR: 2}
_SLOWEST_S = 60


@dataclass(frozen=True)
class Answer:
    """What a command said: its exit code and the object on the last line that it printed, empty if there was none."""

    exit_code: int
    line: dict[str, Any]

    @classmethod
    def read(cls, exit_code: int, output: str) -> Answer:
        """From what a command left behind."""
        try:
            line = json.loads(output.strip().rpartition("\n")[2])
        except ValueError:
            line = {}
        return cls(exit_code, line if isinstance(line, dict) else {})


Judge = Callable[[Path, list[str]], Answer]
"""Takes a vector's folder and the arguments after the command."""


def vectors() -> list[Path]:
    """The committed folders."""
    return sorted(manifest.parent for manifest in FOLDER.glob("*/manifest.json"))


def difference(vector: Path, judge: Judge, compare: str = "code") -> str | None:
    """What ``judge`` answers otherwise than the manifest; None where they agree as far as ``compare``."""
    manifest = json.loads((vector / "manifest.json").read_bytes())
    answer = judge(vector, ["document.cbor", *manifest["arguments"], "--json"])
    expected = {"exit code": _EXIT_CODES[manifest["verdict"]]}
    actual: dict[str, object] = {"exit code": answer.exit_code}
    if manifest["verdict"] != POLICY_ERROR:
        keys = {"code": ("verdict", "code"), "class": ("verdict", "class"), "verdict": ("verdict",)}[compare]
        expected |= {key: manifest["rejection_class" if key == "class" else key] for key in keys}
        actual |= {key: answer.line.get(key, "nothing") for key in keys}
    wrong = [f"{key}: expected {expected[key]}, got {actual[key]}" for key in expected if expected[key] != actual[key]]
    return "; ".join(wrong) or None


def by_command(command: Sequence[str]) -> Judge:
    """A judge that starts ``command`` in the vector's folder."""

    def judge(vector: Path, arguments: list[str]) -> Answer:
        done = subprocess.run([*command, *arguments], cwd=vector, capture_output=True, text=True, timeout=_SLOWEST_S)
        return Answer.read(done.returncode, done.stdout)

    return judge


def main(command: Sequence[str], compare: str) -> int:
    """Print one row per difference and a last one with the count. Returns the exit code."""
    judge, listed = by_command(command), vectors()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda vector: difference(vector, judge, compare), listed))
    wrong = [(vector.name, text) for vector, text in zip(listed, found, strict=True) if text]
    for name, text in wrong:
        print(f"{name:<48}{text}")
    print(f"{len(listed) - len(wrong)} of {len(listed)} as expected")
    return 1 if wrong or not listed else 0
