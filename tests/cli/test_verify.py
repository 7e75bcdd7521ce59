"""`strongroom verify` on one document: what is judged, by which policy, at which instant."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from attestation.errors import RejectionCode
from attestation.measurements import parent_role_pcr3
from strongroom.cli.verify import verify
from tests.attestation import forge
from tests.cli.verifying import ARCHIVED, ROLE, anchored, pin, policy_file, run, verified, write

KEYS = ["verdict", "code", "mode", "kind", "trust_anchor", "document", "checks", "proves", "does_not_prove"]
FIELDS = ["module_id", "digest", "timestamp", "pcrs", "public_key", "user_data", "nonce"]


def code(*arguments: str) -> str:
    """The code of a rejection."""
    answer = verified(*arguments, exit_code=1)
    assert answer["verdict"] == "rejected"
    return str(answer["code"])


# What is judged


def test_an_accepted_document_in_json(tmp_path: Path) -> None:
    answer = verified(write(tmp_path), "--archived", "--policy", policy_file(tmp_path), *anchored(tmp_path))
    assert list(answer) == KEYS
    assert [answer[key] for key in KEYS[:4]] == ["accepted", None, "archived", "enclave"]
    assert answer["trust_anchor"] == {"sha256": forge.pki().anchor.sha256, "simulated": True}
    assert list(answer["document"]) == FIELDS
    assert answer["document"]["pcrs"] == {str(index): value.hex() for index, value in forge.PCRS.items()}
    assert answer["document"]["nonce"] == forge.NONCE.hex()
    assert answer["proves"]
    assert answer["does_not_prove"]


@pytest.mark.parametrize("data", [b"", b"\0" * 40_000, b"\x84", b"hello", b"dead", b"hESh", bytes(range(256)) * 600])
def test_any_bytes_are_judged(data: bytes, tmp_path: Path) -> None:
    answer = verified(write(tmp_path, data), *ARCHIVED, exit_code=1)
    assert list(answer) == KEYS
    assert answer["document"] == dict.fromkeys(FIELDS)
    assert answer["checks"][0]["status"] == "failed"


def test_the_table_of_any_bytes(tmp_path: Path) -> None:
    assert run(write(tmp_path, b"\x1b[31m"), *ARCHIVED, exit_code=1).stdout.startswith(b"rejected: cose-structure")


@pytest.mark.parametrize("encoded", [forge.document(), forge.document().hex().encode() + b"\n"])
def test_standard_input_is_read_in_every_encoding(encoded: bytes, tmp_path: Path) -> None:
    assert verified("-", *ARCHIVED, *anchored(tmp_path), input=encoded)["verdict"] == "accepted"


def test_an_anchor_that_is_not_pinned_needs_an_allowance(tmp_path: Path) -> None:
    file, (option, root, allowance) = write(tmp_path), anchored(tmp_path)
    assert code(file, *ARCHIVED) == RejectionCode.TRUST_ANCHOR
    assert code(file, *ARCHIVED, allowance) == RejectionCode.TRUST_ANCHOR
    answer = verified(file, *ARCHIVED, option, root, exit_code=1)
    assert (answer["code"], answer["trust_anchor"]["simulated"]) == ("simulated-anchor", True)


def test_a_document_in_debug_mode_needs_an_allowance(tmp_path: Path) -> None:
    file = write(tmp_path, forge.document(pcrs=dict.fromkeys(range(16), bytes(48))))
    asked = (file, *ARCHIVED, *anchored(tmp_path))
    assert code(*asked) == RejectionCode.DEBUG_MODE
    assert "debug mode" in verified(*asked, "--allow-debug")["does_not_prove"][-1]


def test_the_kind_is_an_enclave_unless_told_otherwise(tmp_path: Path) -> None:
    chain = forge.pki(forge.TPM_MODULE_ID)
    pcrs = {index: forge.pcr(index) for index in range(24)}
    data = forge.document(chain, module_id=forge.TPM_MODULE_ID, pcrs=..., nitrotpm_pcrs=pcrs)
    asked = (write(tmp_path, data), "--archived", *anchored(tmp_path, chain))
    assert code(*asked, "--any-measurement") == RejectionCode.WRONG_KIND
    assert verified(*asked, "--kind", "nitrotpm", *pin(4))["kind"] == "nitrotpm"


# The policy


def test_pinned_registers(tmp_path: Path) -> None:
    asked = (write(tmp_path), "--archived", *anchored(tmp_path))
    assert verified(*asked, *pin(0), *pin(17))["verdict"] == "accepted"
    assert code(*asked, *pin(0), *pin(17, forge.pcr(16))) == RejectionCode.MEASUREMENT
    assert code(*asked, *pin(0), *pin(31, forge.pcr(0))) == RejectionCode.MEASUREMENT_ABSENT


def test_a_role_is_pinned_by_its_hash(tmp_path: Path) -> None:
    file = write(tmp_path, forge.document(pcrs=forge.PCRS | {3: parent_role_pcr3(ROLE)}))
    asked = (file, "--archived", *anchored(tmp_path), *pin(0))
    assert verified(*asked, "--role", ROLE)["verdict"] == "accepted"
    assert code(*asked, "--role", f"{ROLE}s") == RejectionCode.MEASUREMENT


@pytest.mark.parametrize(
    ("policy", "pins", "rejection"),
    [
        ({}, pin(3), None),
        ({}, pin(4), None),
        ({}, pin(3, forge.pcr(4)), "measurement"),
        ({}, pin(0, forge.pcr(4)), "measurement"),
        ({"pcr2": forge.pcr(4)}, pin(3), "measurement"),
        ({"pcr3": forge.pcr(3)}, pin(3, forge.pcr(4)), "measurement"),
    ],
)
def test_beside_a_policy_file_pins_must_hold_as_well(
    policy: dict[str, bytes], pins: tuple[str, str], rejection: str | None, tmp_path: Path
) -> None:
    asked = (write(tmp_path), "--archived", *anchored(tmp_path), "--policy", policy_file(tmp_path, **policy), *pins)
    assert verified(*asked, exit_code=0 if rejection is None else 1)["code"] == rejection


@pytest.mark.parametrize("field", ["public_key", "user_data"])
def test_what_it_binds(field: str, tmp_path: Path) -> None:
    option = f"--expect-{field.replace('_', '-')}"
    asked = (*ARCHIVED, *anchored(tmp_path))
    bound = write(tmp_path, forge.document(**{field: b"bound"}))
    empty = write(tmp_path, forge.document(**{field: b""}), "empty.cbor")
    assert verified(bound, *asked, option, b"bound".hex())["verdict"] == "accepted"
    assert code(bound, *asked, option, b"other".hex()) == field.replace("_", "-")
    assert code(empty, *asked, option, b"bound".hex()) == field.replace("_", "-")


# The mode


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The verifier's clock in milliseconds, set to the instant of the forge's documents."""
    now_ms = [forge.NOW_MS]
    monkeypatch.setattr(time, "time_ns", lambda: now_ms[0] * 1_000_000)
    return now_ms


def judged(tmp_path: Path, *arguments: str) -> tuple[str, str | None]:
    """Mode and code of a sound document's verdict, in this process, whose clock can be set."""
    given = [write(tmp_path), *arguments, "--any-measurement", *anchored(tmp_path), "--json"]
    answer = json.loads(CliRunner().invoke(verify, given, standalone_mode=False).output)
    return answer["mode"], answer["code"]


def test_live_wants_its_nonce_now(clock: list[int], tmp_path: Path) -> None:
    assert judged(tmp_path, "--live", "--nonce", forge.NONCE.hex()) == ("live", None)
    assert judged(tmp_path, "--live", "--nonce", "00" * 32) == ("live", "nonce")
    clock[0] += 301_000
    assert judged(tmp_path, "--live", "--nonce", forge.NONCE.hex()) == ("live", "too-old")


def test_recent_wants_its_age(clock: list[int], tmp_path: Path) -> None:
    clock[0] += 300_000
    assert judged(tmp_path, "--recent") == ("recent", None)
    assert judged(tmp_path, "--recent", "--max-age", "299") == ("recent", "too-old")
    clock[0] += 1
    assert judged(tmp_path, "--recent") == ("recent", "too-old")
    assert judged(tmp_path, "--recent", "--max-age", "301") == ("recent", None)


@pytest.mark.usefixtures("clock")
def test_at_an_instant(tmp_path: Path) -> None:
    assert judged(tmp_path, "--at", "2025-10-09T08:53:20Z") == ("archived", None)
    assert judged(tmp_path, "--at", str(forge.NOW_MS + 1)) == ("archived", None)
    assert judged(tmp_path, "--at", str(forge.NOW_MS - 1)) == ("archived", "from-the-future")
    assert judged(tmp_path, "--at", "2025-10-09T11:53:20+01:00") == ("archived", None)
    assert judged(tmp_path, "--at", "2025-10-09T11:53:20.001+01:00") == ("archived", "certificate-expired")


def test_archived_needs_no_clock(clock: list[int], tmp_path: Path) -> None:
    clock[0] = 0
    assert judged(tmp_path, "--archived") == ("archived", None)


def test_each_document_is_judged_at_its_own_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input can keep a command waiting, and a folder can take its time."""
    instants = iter([forge.NOW_MS, forge.NOW_MS, forge.NOW_MS + 400_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(instants) * 1_000_000)
    file = write(tmp_path)
    given = [file, file, "--recent", "--any-measurement", *anchored(tmp_path), "--json"]
    lines = CliRunner().invoke(verify, given, standalone_mode=False).output.splitlines()
    assert [json.loads(line)["code"] for line in lines] == [None, "too-old"]
