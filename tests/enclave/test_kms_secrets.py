"""A hardened enclave prints, logs and raises nothing of its credentials and data keys, whatever KMS does to it."""

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from attestation.documents import AttestationDocument
from tests.appliance.canary import Secret
from tests.enclave.certificates import LEAF, issue, write
from tests.enclave.kms_world import NOW_MS, World, answer_with, envelope
from tests.enclave.lying_kms import Talk, answering, http_answer, keep_everything, saying, server_context


@dataclass
class Held:
    """What the enclave holds, each a canary."""

    secret_key: str = field(default_factory=lambda: secrets.token_hex(20))
    token: str = field(default_factory=lambda: secrets.token_hex(40))
    data_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def credentials(self) -> bytes:
        """The push."""
        fields = {"access_key_id": "AKIAPUSHED", "secret_access_key": self.secret_key, "session_token": self.token}
        return json.dumps(fields | {"expires_ms": NOW_MS + 1}).encode()

    def count(self, data: bytes) -> int:
        """How often any of them occurs, in any of the forms of a canary."""
        return sum(Secret(raw).count(data) for raw in (self.secret_key.encode(), self.token.encode(), self.data_key))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def held() -> Held:
    return Held()


HOSTILE = {
    "AWS_ENDPOINT_URL": "https://127.0.0.1:1",
    "AWS_CA_BUNDLE": "/nonexistent",
    "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
    "BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER": "true",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "OPENSSL_CONF": "/nonexistent",
    "REQUESTS_CA_BUNDLE": "/nonexistent",
    "SSL_CERT_FILE": "/nonexistent",
    "SSL_CERT_DIR": "/nonexistent",
    "PYTHONHTTPSVERIFY": "0",
}


def run(world: World, held: Held, *arguments: str) -> tuple[int, bytes]:
    """Exit code and everything that the child printed."""
    (world.folder / "credentials.json").write_bytes(held.credentials())
    keys = world.folder / "keys.log"
    child = subprocess.run(
        [sys.executable, "-m", "tests.enclave.kms_child", str(world.folder), *arguments],
        env={**os.environ, **({} if arguments else HOSTILE), "SSLKEYLOGFILE": str(keys)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert not keys.exists() or b"CLIENT" not in keys.read_bytes(), "no session key of TLS leaves either"
    return child.returncode, child.stdout


def sealing(held: Held, **changes: Any) -> Talk:
    def answer(operation: str, members: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        document = AttestationDocument.from_bytes(base64.b64decode(members["Recipient"]["AttestationDocument"]))
        sealed = envelope(held.data_key, document.public_key or b"")
        return 200, answer_with(CiphertextForRecipient=sealed, **changes)

    return answering(answer)


def test_a_hostile_environment_changes_nothing(world: World, held: Held) -> None:
    with world.host(sealing(held)) as host:
        code, printed = run(world, held)
    assert (code, printed) == (0, b"unwrapped " + sha256(held.data_key).hexdigest().encode() + b"\n")
    assert host.destinations == ["CONNECT kms.us-east-1.amazonaws.com:443"]


def quoting(held: Held) -> bytes:
    """An answer that says back what it was told, as an error."""
    return json.dumps({"__type": "Surprise", "message": held.secret_key + held.token + held.data_key.hex()}).encode()


FAULTS: dict[str, tuple[Callable[[Held], Talk], bytes]] = {
    "silent": (lambda held: keep_everything, b"KMSUnreachable"),
    "a plaintext": (
        lambda held: sealing(held, Plaintext=base64.b64encode(held.data_key).decode()),
        b"KMSRefused",
    ),
    "another key": (lambda held: sealing(held, KeyId="x"), b"KMSRefused"),
    "an error that quotes": (lambda held: saying(http_answer(quoting(held), 400)), b"KMSRefused"),
    "a fault that quotes": (lambda held: saying(http_answer(quoting(held), 503)), b"KMSUnreachable"),
    "garbage that quotes": (lambda held: saying(b"HTTP/1.1 " + quoting(held) + b"\r\n\r\n"), b"KMSUnreachable"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_makes_it_tell(world: World, held: Held, fault: str) -> None:
    talk, error = FAULTS[fault]
    with world.host(talk(held)):
        code, printed = run(world, held)
    assert code == 1
    assert printed.startswith(error)
    assert printed.endswith(b"error: " + error + b"\n"), "the process's own last word is the type alone"
    assert held.count(printed) == 0


def test_a_wrong_peer_is_told_nothing(world: World, held: Held, tmp_path: Path) -> None:
    with world.host(keep_everything, server_context(write(tmp_path, issue(LEAF).with_key()))) as host:
        code, printed = run(world, held)
    assert code == 1
    assert b"TLS" in printed
    assert host.received == b""
    assert held.count(printed) == 0


def test_positive_control_without_hardening_all_of_it_is_found(world: World, held: Held) -> None:
    with world.host(sealing(held, Plaintext=base64.b64encode(held.data_key).decode())):
        _, printed = run(world, held, "--loud")
    assert Secret(held.token.encode()).count(printed)
    assert Secret(held.data_key).count(printed)
    assert held.count(held.credentials()) == 2
