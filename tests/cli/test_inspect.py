"""`strongroom inspect` shows a document and never lets anybody believe that it judged one."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import cbor2
import pytest

from tests.attestation import forge
from tests.cli.running import failed, strongroom
from tests.cli.verifying import write

KEYS = ["verified", "warning", "code", "expected", "actual", "kind", "document", "certificates", "envelope"]


def inspected(data: bytes, tmp_path: Path, exit_code: int = 0) -> dict[str, Any]:
    """The JSON line."""
    done = strongroom("inspect", write(tmp_path, data), "--json")
    assert (done.returncode, done.stderr) == (exit_code, b"")
    [line] = done.stdout.splitlines()
    said: dict[str, Any] = json.loads(line)
    assert list(said) == KEYS
    assert said["verified"] is False
    assert said["warning"].startswith("UNVERIFIED")
    assert "strongroom verify" in said["warning"]
    return said


def table(data: bytes, tmp_path: Path, exit_code: int = 0) -> list[str]:
    """The lines for people."""
    done = strongroom("inspect", write(tmp_path, data))
    assert (done.returncode, done.stderr) == (exit_code, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("UNVERIFIED")
    return lines


def with_high_s(payload: bytes, high: bool) -> bytes:
    """An envelope whose signature has s in the half asked for; both halves verify."""
    signature = forge.sign(payload)
    r, s = int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big")
    return forge.envelope(payload, forge.raw(r, s if (s > forge.ORDER // 2) is high else forge.ORDER - s))


def test_a_document(tmp_path: Path) -> None:
    said = inspected(forge.document(user_data=b"\x1b[2J", nonce=b""), tmp_path)
    assert said["kind"] == "enclave"
    assert said["document"] == {
        "module_id": forge.MODULE_ID,
        "digest": "SHA384",
        "timestamp": forge.NOW_MS,
        "time": "2025-10-09T08:53:20.000Z",
        "pcrs": {str(index): value.hex() for index, value in forge.PCRS.items()},
        "public_key": None,
        "user_data": b"\x1b[2J".hex(),
        "nonce": "",
    }


def test_its_certificates(tmp_path: Path) -> None:
    certificates = inspected(forge.document(), tmp_path)["certificates"]
    assert [each["sha256"] for each in certificates] == [
        hashlib.sha256(der).hexdigest() for der in forge.pki().certificates
    ]
    assert [each["subject"] for each in certificates] == [f"CN={spec.name}" for spec in forge.specs()]
    assert certificates[-1]["issuer"] == certificates[-2]["subject"]
    hour_ms = 3_600_000
    window = (certificates[-1]["not_before"], certificates[-1]["not_after"])
    assert window == (forge.NOW_MS - hour_ms, forge.NOW_MS + 2 * hour_ms)


@pytest.mark.parametrize("tag", [b"", b"\xd2"])
@pytest.mark.parametrize("encode", [cbor2.dumps, forge.indefinite])
@pytest.mark.parametrize("high", [False, True])
def test_its_envelope(tag: bytes, encode: Any, high: bool, tmp_path: Path) -> None:
    payload = encode(forge.fields())
    assert inspected(tag + with_high_s(payload, high), tmp_path)["envelope"] == {
        "tagged": tag != b"",
        "payload_map": "indefinite" if encode is forge.indefinite else "definite",
        "payload_sha384": hashlib.sha384(payload).hexdigest(),
        "high_s": high,
    }


def test_a_signature_that_is_none_is_shown_all_the_same(tmp_path: Path) -> None:
    data = forge.envelope(cbor2.dumps(forge.fields()), forge.raw(1, 1))
    assert inspected(data, tmp_path)["verified"] is False


def test_the_table(tmp_path: Path) -> None:
    lines = table(forge.document(public_key=b"key"), tmp_path)
    assert "  timestamp   1760000000000 ms  2025-10-09T08:53:20.000Z" in lines
    assert f"  PCR0        {forge.pcr(0).hex()}  image" in lines
    assert "  zero PCRs   5 to 15" in lines
    assert "  public key  3 bytes" in lines
    assert "  user data   none" in lines
    assert lines.count("certificate:") == 5
    assert "  subject  CN=root" in lines
    assert "  valid    2025-10-09T07:53:20.000Z to 2025-10-09T10:53:20.000Z" in lines


def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    data = forge.document(certificate=b"\x30\x03none")
    said = inspected(data, tmp_path)["certificates"][-1]
    digest = hashlib.sha256(b"\x30\x03none").hexdigest()
    assert said == {"subject": None, "issuer": None, "not_before": None, "not_after": None, "sha256": digest}
    assert table(data, tmp_path)[-2:] == ["  subject  unreadable", f"  SHA-256  {digest}"]


def test_names_cannot_command_a_terminal(tmp_path: Path) -> None:
    chain = forge.pki_with(4, name="a\x1b[2J\n\u202eb")
    assert "  subject  CN=a\\x1b[2J\\n\\u202eb" in table(forge.document(chain), tmp_path)
    assert inspected(forge.document(chain), tmp_path)["certificates"][-1]["subject"] == "CN=a\x1b[2J\n\u202eb"


def test_instants_beyond_the_calendar(tmp_path: Path) -> None:
    data = forge.document(timestamp=(1 << 63) - 1)
    assert inspected(data, tmp_path)["document"]["time"] is None
    assert f"  timestamp   {(1 << 63) - 1} ms  beyond the year 9999" in table(data, tmp_path)


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "input-size"), (b"hello", "cose-structure"), (forge.document() + b"\0", None)]
)
def test_what_does_not_parse(data: bytes, code: str | None, tmp_path: Path) -> None:
    said = inspected(data, tmp_path, exit_code=1)
    code = code or "cose-trailing-bytes"
    assert said["code"] == code
    assert said["expected"]
    assert [said[key] for key in ("kind", "document", "certificates", "envelope")] == [None] * 4
    assert table(data, tmp_path, exit_code=1)[1].startswith(f"no document: {code}: expected")


def test_standard_input_in_base64_of_a_tpm(tmp_path: Path) -> None:
    fields = forge.fields(module_id=forge.TPM_MODULE_ID, pcrs=..., nitrotpm_pcrs={0: forge.pcr(0), 4: forge.pcr(4)})
    done = strongroom("inspect", "-", input=forge.envelope(cbor2.dumps(fields)).hex().encode())
    assert done.returncode == 0
    assert f"  PCR0        {forge.pcr(0).hex()}\n" in done.stdout.decode()  # whose meaning is not an enclave's


@pytest.mark.parametrize("arguments", [("nowhere",), (os.sep,), ("",), (), ("a", "b")])
def test_wrong_usage(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = strongroom("inspect", *arguments, "--json", cwd=tmp_path)
    failed(done)
    assert "error" in json.loads(done.stdout)
