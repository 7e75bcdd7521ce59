"""The hybrid group for real (review R6): the enclave's TLS to KMS under the image's OpenSSL, seen by a tap on the wire.

The other end needs OpenSSL 3.5 as well, so both run in the tree of `make ci-deps`; the tap reads by code of its own.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.enclave.kms_world import DATA_KEY, honest
from tests.enclave.lying_kms import answering
from tests.hybrid.handshake import (
    ALERT,
    CLIENT_SHARE_BYTES,
    HANDSHAKE,
    P256,
    SERVER_SHARE_BYTES,
    X25519MLKEM768,
    ClientHello,
    ServerHello,
    client_hello,
    records,
    server_hello,
)
from tests.hybrid.peers import CLASSICAL, Peer, answer_once, peer
from tests.hybrid.tap import Wire
from tests.hybrid.tree import require_tree, run

HYBRID_OFFER = ClientHello([X25519MLKEM768], {X25519MLKEM768: CLIENT_SHARE_BYTES})
HYBRID_AGREED = ServerHello(X25519MLKEM768, SERVER_SHARE_BYTES)
CLASSICAL_OFFER = ClientHello([P256], {P256: 65})
CLASSICAL_AGREED = ServerHello(P256, 65)


@pytest.fixture(autouse=True)
def _tree() -> None:
    require_tree()


def probe(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and findings of the probe, which has nothing but the image's packages."""
    paths = ("--proxy", f"unix:{folder / 'proxy.sock'}", "--ca", folder / "tls" / "ca.pem")
    ended = run("tests.enclave.hybrid_probe", *paths, *options)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def unwrap(folder: Path) -> dict[str, Any]:
    """What the enclave's KMS client says, whose NSM is the simulator's."""
    ended = run("tests.hybrid.unwrap", folder, lent=True)
    assert ended.returncode == 0, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def after(line: bytes, stream: bytearray) -> bytes:
    """What follows the proxy's own line."""
    head, newline, rest = bytes(stream).partition(b"\n")
    assert head.startswith(line)
    assert newline
    return rest


def seen(wire: Wire) -> tuple[ClientHello, ServerHello]:
    """The offer and the agreement."""
    return client_hello(after(b"CONNECT ", wire.from_client)), server_hello(after(b"OK", wire.from_server))


def assert_refused_before_any_request(peer: Peer) -> None:
    """One connection, on which the client offered the hybrid group, and then said an alert at most."""
    (wire,) = peer.wires
    said = after(b"CONNECT ", wire.from_client)
    assert client_hello(said) == HYBRID_OFFER
    assert {kind for kind, _ in records(said)[1:]} <= {ALERT}
    answered = [kind for kind, _ in records(after(b"OK", wire.from_server))]
    assert HANDSHAKE not in answered
    assert ALERT in answered
    assert not peer.inside.received


def test_the_tap_sees_the_hybrid_group_alone(tmp_path: Path) -> None:
    with peer(tmp_path, answer_once) as kms:
        code, said = probe(tmp_path)
    assert (code, said["status"], said["leg"]) == (0, 200, "hybrid"), said
    assert said["groups"] == said["key_shares"] == ["0x11ec"]
    assert [seen(wire) for wire in kms.wires] == [(HYBRID_OFFER, HYBRID_AGREED)]
    assert kms.inside.received.startswith(b"POST / HTTP/1.1\r\n")


def test_a_classical_only_server_gets_no_byte_of_a_request(tmp_path: Path) -> None:
    with peer(tmp_path, answer_once, CLASSICAL) as kms:
        code, said = probe(tmp_path)
    assert (code, said["leg"], said["error"]) == (1, "hybrid", "kms-unreachable"), said
    assert_refused_before_any_request(kms)


def test_the_measured_switch_takes_a_classical_server_and_says_so(tmp_path: Path) -> None:
    with peer(tmp_path, answer_once, CLASSICAL) as kms:
        code, said = probe(tmp_path, "--classical")
    assert (code, said["status"], said["leg"]) == (0, 200, "classical"), said
    assert [seen(wire) for wire in kms.wires] == [(CLASSICAL_OFFER, CLASSICAL_AGREED)]
    assert kms.inside.received.startswith(b"POST / HTTP/1.1\r\n")


def test_without_the_configuration_the_enclave_refuses_before_it_connects(tmp_path: Path) -> None:
    """Positive control: OpenSSL's own list has the hybrid group too, and others, and that is not enough."""
    with peer(tmp_path, answer_once) as kms:
        code, said = probe(tmp_path, "--no-configuration")
    assert (code, said["refused"]) == (70, "kms-leg"), said
    assert "got 0x11ec, " in said["message"]
    assert kms.wires == []


def test_the_enclaves_own_client_unwraps_a_data_key_over_the_hybrid_group(tmp_path: Path) -> None:
    with peer(tmp_path, answering(honest)) as kms:
        said = unwrap(tmp_path)
    assert said == {"leg": "hybrid", "data_key": hashlib.sha256(DATA_KEY).hexdigest()}
    assert [seen(wire) for wire in kms.wires] == [(HYBRID_OFFER, HYBRID_AGREED)]
    assert kms.inside.operations == ["Decrypt"]


def test_the_enclaves_own_client_says_nothing_to_a_classical_only_server(tmp_path: Path) -> None:
    with peer(tmp_path, answering(honest), CLASSICAL) as kms:
        said = unwrap(tmp_path)
    assert said == {"leg": "hybrid", "error": "kms-unreachable"}
    assert_refused_before_any_request(kms)
    assert kms.inside.operations == []


def test_the_tests_of_tls_hold_under_the_images_openssl_too() -> None:
    options = ("--noconftest", "-c", "/dev/null", "--rootdir", ".", "-q", "-p", "no:cacheprovider", "-W", "error")
    ended = run("pytest", *options, "tests/enclave/test_tls.py", lent=True)
    assert ended.returncode == 0, ended.stdout
    assert " passed, 1 skipped" in ended.stdout
