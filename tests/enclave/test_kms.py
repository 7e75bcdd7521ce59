"""The enclave's KMS client against a KMS that lies, a proxy that is dead, and TLS that is not KMS's."""

import base64
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from enclave.clock import Clock
from enclave.errors import KMSRefused, KMSUnreachable
from enclave.evidence import Evidence
from enclave.keys import BootKeys
from enclave.kms.client import AMAZON_ROOTS, KMSClient
from enclave.kms.credentials import PushedCredentialProvider, PushedCredentials
from strongroom.protocol.configuration import KMSSettings
from strongroom.simulator.cms import ciphertext_for_recipient
from strongroom.simulator.kms.tls import server_certificate
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.simulator.part import Part
from strongroom.transport.addresses import UnixAddress
from tests.enclave.deployment import ARN, configuration, new_nsm
from tests.enclave.lying_kms import Answer, LyingKMS, serve_lies

KEYS = BootKeys.generate()
DATA_KEY = b"d" * 32
CONTEXT = {"purpose": "model", "tenant": "demo", "model": "tiny", "version": "1"}
ENTRY = configuration().key[0]


def honest(operation: str, members: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    assert operation == "Decrypt"
    assert members["EncryptionContext"] == CONTEXT
    assert members["Recipient"]["KeyEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    return 200, answer_with(KeyId=members["KeyId"])


def answer_with(**changes: Any) -> dict[str, Any]:
    envelope = ciphertext_for_recipient(DATA_KEY, KEYS.recipient_spki())
    return {"KeyId": ARN, "CiphertextForRecipient": base64.b64encode(envelope).decode(), **changes}


class World:
    """A proxy between the client and whoever listens on `port`."""

    def __init__(self, folder: Path, ca_file: str) -> None:
        self.folder, self.ca_file = folder, ca_file
        self.provider = PushedCredentialProvider(lambda: 1_790_000_000_000)
        self.provider.push(PushedCredentials("AKIAPUSHED", "secret", "", 4_000_000_000_000))

    def client(self) -> KMSClient:
        nsm = new_nsm()
        evidence = Evidence(nsm, KEYS, Clock(nsm.attest()), 600)
        return KMSClient(
            UnixAddress(self.folder / "proxy.sock"),
            KMSSettings(runtime_role=PARENT_ROLE),
            self.ca_file,
            "us-east-1",
            self.provider,
            evidence=evidence,
            keys=KEYS,
        )

    def unwrap(self) -> bytes:
        return self.client().unwrap(ENTRY, CONTEXT, b"wrapped")

    @contextmanager
    def lies(self, answer: Answer, certificate: Path | None = None) -> Iterator[LyingKMS]:
        chosen = certificate or server_certificate(self.folder, region="us-east-1")
        with serve_lies(chosen, answer) as kms:
            rule = f"--allow=kms.us-east-1.amazonaws.com:443=127.0.0.1:{kms.port}"
            proxy = Part("proxy", "proxy", ["--listen=unix:proxy.sock", rule], folder=self.folder)
            try:
                proxy.wait_announced(10)
                yield kms
            finally:
                proxy.stop()


@pytest.fixture
def world(tmp_path: Path) -> World:
    server_certificate(tmp_path, region="us-east-1")
    return World(tmp_path, str(tmp_path / "tls" / "ca.pem"))


def test_an_honest_answer_opens(world: World) -> None:
    with world.lies(honest) as kms:
        assert world.unwrap() == DATA_KEY
        assert kms.operations == ["Decrypt"]


def error(code: str, status: int = 400) -> Answer:
    return lambda operation, members: (status, {"__type": code, "message": "CANARY"})


def ok(**changes: Any) -> Answer:
    return lambda operation, members: (200, answer_with(**changes))


OTHER_KEY = BootKeys.generate().recipient_spki()


def envelope(plaintext: bytes, spki: bytes) -> str:
    return base64.b64encode(ciphertext_for_recipient(plaintext, spki)).decode()


LIES: dict[str, tuple[Callable[[], Answer], str]] = {
    "another key id": (lambda: ok(KeyId=ARN.replace("1234abcd", "ffffffff")), "kms-wrong-key"),
    "no key id": (lambda: ok(KeyId=None), "kms-wrong-key"),
    "a plaintext": (lambda: ok(Plaintext=base64.b64encode(DATA_KEY).decode()), "kms-plaintext"),
    "no envelope": (lambda: ok(CiphertextForRecipient=None), "kms-bad-envelope"),
    "garbage": (lambda: ok(CiphertextForRecipient=base64.b64encode(b"x" * 500).decode()), "kms-bad-envelope"),
    "too long": (lambda: ok(CiphertextForRecipient=base64.b64encode(b"x" * 20_000).decode()), "kms-bad-envelope"),
    "for another recipient": (lambda: ok(CiphertextForRecipient=envelope(DATA_KEY, OTHER_KEY)), "kms-bad-envelope"),
    "a short data key": (
        lambda: ok(CiphertextForRecipient=envelope(b"d", KEYS.recipient_spki())),
        "kms-bad-data-key",
    ),
    "denied": (lambda: error("AccessDeniedException"), "kms-access-denied"),
    "another error": (lambda: error("InvalidCiphertextException"), "kms-error"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_not_quoted(world: World, lie: str) -> None:
    make, code = LIES[lie]
    with world.lies(make()), pytest.raises(KMSRefused) as caught:
        world.unwrap()
    assert caught.value.code == code
    assert "CANARY" not in str(caught.value)


def test_kms_own_faults_can_be_tried_again(world: World) -> None:
    with world.lies(error("KMSInternalException", 500)) as kms, pytest.raises(KMSUnreachable):
        world.unwrap()
    assert kms.operations == ["Decrypt"] * 3


def test_no_request_reaches_a_server_under_another_ca(world: World) -> None:
    world.ca_file = str(AMAZON_ROOTS)
    with world.lies(honest) as kms, pytest.raises(KMSUnreachable, match="TLS"):
        world.unwrap()
    assert kms.operations == []


def test_no_request_reaches_a_server_of_another_name(world: World) -> None:
    other = server_certificate(world.folder, region="eu-west-1")
    with world.lies(honest, other) as kms, pytest.raises(KMSUnreachable, match="TLS"):
        world.unwrap()
    assert kms.operations == []


def test_a_dead_proxy_and_a_dead_kms_are_unreachable(world: World) -> None:
    with pytest.raises(KMSUnreachable):
        world.unwrap()
    with world.lies(honest):
        pass
    with pytest.raises(KMSUnreachable):
        world.unwrap()


def test_credentials_never_pushed_reach_nobody(world: World) -> None:
    world.provider = PushedCredentialProvider(lambda: 1_790_000_000_000)
    with pytest.raises(KMSUnreachable, match="push"):
        world.unwrap()


def test_the_environment_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion=eu-west-1\nendpoint_url=https://127.0.0.1:1\nca_bundle=/nonexistent\n")
    hostile = {
        "AWS_ENDPOINT_URL": "https://127.0.0.1:1",
        "AWS_ENDPOINT_URL_KMS": "https://127.0.0.1:1",
        "AWS_CA_BUNDLE": "/nonexistent",
        "REQUESTS_CA_BUNDLE": "/nonexistent",
        "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
        "AWS_SECRET_ACCESS_KEY": "hostile",
        "AWS_CONFIG_FILE": str(config),
        "AWS_PROFILE": "hostile",
        "AWS_REGION": "eu-west-1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    with world.lies(honest):
        assert world.unwrap() == DATA_KEY
    assert os.environ["AWS_PROFILE"] == "hostile"


def describing(**metadata: Any) -> Answer:
    answers: dict[str, dict[str, Any]] = {
        "DescribeKey": {"KeyMetadata": {"Arn": ARN, "KeyId": "1234abcd", **metadata}},
        "GetKeyPolicy": {"Policy": "{}"},
        "ListGrants": {"Grants": []},
    }
    return lambda operation, members: (200, answers[operation])


def test_the_description_of_another_key_is_refused(world: World) -> None:
    with world.lies(describing()):
        metadata, policy, grants = world.client().describe_key(ARN)
        assert (metadata["Arn"], policy, grants) == (ARN, "{}", [])
    with world.lies(describing(Arn=ARN.replace("1234abcd", "ffffffff"))), pytest.raises(KMSRefused):
        world.client().describe_key(ARN)
