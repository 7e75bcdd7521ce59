"""Every fuzz target in the ordinary tests, without atheris: its seeds, and small changes of them."""

from __future__ import annotations

import importlib
from pathlib import Path
from random import Random

import pytest

from tests.attestation.mutation import octets
from tests.fuzz.targets import TARGETS, Target

CHANGES = 300
OTHERS = {"__init__", "__main__", "targets", "test_entry_points"}


def target(name: str) -> Target:
    return importlib.import_module(f"tests.fuzz.{name}")


def test_every_module_is_a_target() -> None:
    modules = {file.stem for file in Path(__file__).parent.glob("*.py")} - OTHERS
    assert modules == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_small_changes(name: str) -> None:
    fuzzed, rng = target(name), Random(name)
    seeds = fuzzed.seeds()
    for data in (b"", *seeds):
        fuzzed.one_input(data)
    for _ in range(CHANGES):
        fuzzed.one_input(octets.mutated(rng, rng.choice(seeds), rng.choice(seeds)))


@pytest.mark.parametrize("name", TARGETS)
def test_says_its_invariant(name: str) -> None:
    assert (target(name).__doc__ or "").startswith("Invariant of ")
