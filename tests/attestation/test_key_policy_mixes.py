"""Review R12 on what the compiler writes, judged by the dev KMS: of every mix of releases, the listed tuples alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations, product

import pytest

from attestation.compiler import compile_key_policy
from attestation.policy import Measurements
from strongroom.simulator.key_policy import Caller, Decision, KeyPolicy
from tests.attestation import forge

ACCOUNT = "111122223333"
ROLE = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/strongroom")
MIXES = list(product((0, 1), repeat=3))
"""Of 2 images, 2 catalogues and 2 configurations."""


def pcrs(mix: Sequence[int]) -> dict[int, bytes]:
    image, catalogue, configuration = mix
    chosen = {0: image, 1: image, 2: image, 16: catalogue, 17: configuration}
    return {3: forge.pcr(3)} | {index: forge.pcr(index + 100 * release) for index, release in chosen.items()}


def compiled(*mixes: Sequence[int]) -> KeyPolicy:
    policy = compile_key_policy(
        key_arn=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11112222-3333-4444-5555-666677778888",
        runtime_role_arn=ROLE.arn,
        measurements=[Measurements(pcrs(mix)) for mix in mixes],
    )
    return KeyPolicy.from_json(json.dumps(policy))


def context(attested: Mapping[int, bytes]) -> dict[str, tuple[str, ...]]:
    keys = {f"kms:recipientattestation:pcr{index}": (value.hex(),) for index, value in attested.items()}
    return {**keys, "kms:encryptioncontext:purpose": ("model",)}


def admitted(policy: KeyPolicy, attested: Mapping[int, bytes], caller: Caller = ROLE) -> bool:
    return policy.decide("kms:Decrypt", caller, context(attested)) is Decision.ALLOWED


@pytest.mark.parametrize("listed", [*combinations(MIXES, 1), *combinations(MIXES, 2)], ids=str)
def test_only_the_listed_tuples_pass(listed: tuple[tuple[int, ...], ...]) -> None:
    policy = compiled(*listed)
    assert {mix for mix in MIXES if admitted(policy, pcrs(mix))} == set(listed)


def test_each_register_alone_decides() -> None:
    first, second = (0, 0, 0), (1, 1, 1)
    policy, right, other = compiled(first, second), pcrs(first), pcrs(second)
    assert admitted(policy, right)
    for index in right:
        without = {each: value for each, value in right.items() if each != index}
        replaced = [forge.pcr(99), bytes(48), *([other[index]] if index != 3 else [])]
        assert not any(admitted(policy, right | {index: value}) for value in replaced)
        assert not admitted(policy, without)


def test_neither_a_call_without_a_document_nor_another_caller() -> None:
    policy = compiled((0, 0, 0))
    assert not admitted(policy, {})
    assert not admitted(policy, pcrs((0, 0, 0)), Caller.root_of(ACCOUNT))
    assert not admitted(policy, pcrs((0, 0, 0)), Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/other"))
