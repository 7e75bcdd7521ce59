"""Key policies as people write them, sound and unsound, and everything that the linter says about each."""

from __future__ import annotations

import json
import re
from hashlib import sha384
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from attestation.key_policy import linter
from attestation.key_policy.linter import lint_policy
from attestation.key_policy.text import parse_key_policy
from strongroom.simulator.key_policy import Caller, Decision, KeyPolicy

FOLDER = Path(__file__).with_name("key_policies")
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
IGNORING_CASE = "StringEqualsIgnoreCase"
BENIGN = {
    "aws:currenttime": ("2026-03-01T12:00:00Z",),
    "aws:sourcevpce": ("vpce-0123456789abcdef0",),
    "aws:securetransport": ("true",),
    "kms:encryptioncontext:purpose": ("model",),
    "kms:encryptioncontext:tenant": ("acme",),
}
"""What every other condition of the corpus asks for, so that only attestation can refuse."""
POLICIES: list[dict[str, Any]] = MANIFEST["policies"]


@pytest.mark.parametrize("entry", POLICIES, ids=lambda entry: entry["file"])
def test_findings(entry: dict[str, Any]) -> None:
    policy = parse_key_policy((FOLDER / entry["file"]).read_text())
    findings = list(lint_policy(policy, MANIFEST["runtime_role"], MANIFEST["account"]))
    found = {
        severity: {each.code for each in findings if each.severity == severity} for severity in ("error", "warning")
    }
    assert found == {"error": set(entry["errors"]), "warning": set(entry["warnings"])}
    assert entry["sound"] is not bool(entry["errors"])


def test_the_manifest_lists_every_file_once() -> None:
    listed = [entry["file"] for entry in POLICIES]
    assert sorted([*listed, "manifest.json"]) == sorted(path.name for path in FOLDER.iterdir())


def test_there_are_enough_and_a_third_is_sound() -> None:
    assert len(POLICIES) >= 40
    assert sum(entry["sound"] for entry in POLICIES) * 3 >= len(POLICIES)


def test_every_code_that_a_policy_can_get_is_expected_somewhere() -> None:
    seen = {code for entry in POLICIES for code in (*entry["errors"], *entry["warnings"])}
    source = "".join(path.read_text() for path in Path(linter.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'(?:error|warning)\(\s*"([a-z-]+)"', source))
    assert codes - {"grants", "iam-unseen"} == seen


@pytest.mark.parametrize("entry", [each for each in POLICIES if each["sound"]], ids=lambda entry: entry["file"])
def test_what_is_sound_gives_nothing_away_in_the_dev_kms(entry: dict[str, Any]) -> None:
    """No document, a debug enclave's, and a mix of two releases, for every caller that a policy here names."""
    policy = KeyPolicy.from_json((FOLDER / entry["file"]).read_text().replace("STRINGEQUALSIGNORECASE", IGNORING_CASE))
    releases = [measured(policy_release) for policy_release in (1, 2)]
    mixed = {**releases[0], 17: releases[1][17]}
    for caller, pcrs in product(callers(), ({}, dict.fromkeys(releases[0], bytes(48)), mixed)):
        values = {f"kms:recipientattestation:pcr{index}": (value.hex(),) for index, value in pcrs.items()}
        for action in ("kms:Decrypt", "kms:ReEncryptFrom"):
            decision = policy.decide(action, caller, {**BENIGN, **values})
            assert decision is not Decision.ALLOWED


def measured(release: int) -> dict[int, bytes]:
    """PCR values of the releases in the corpus."""
    return {index: sha384(f"release {release} PCR{index}".encode()).digest() for index in (0, 1, 2, 3, 8, 16, 17)}


def callers() -> list[Caller]:
    account = MANIFEST["account"]
    roles = ("strongroom-parent", "key-admin", "model-owner")
    foreign = Caller("444455556666", "arn:aws:iam::444455556666:role/strongroom-parent")
    return [
        foreign,
        Caller.root_of(account),
        *(Caller(account, f"arn:aws:iam::{account}:role/{role}") for role in roles),
    ]
