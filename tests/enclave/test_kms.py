"""The enclave's KMS client against a KMS that answers: honestly, with errors, with lies."""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from enclave.errors import KMSRefused, KMSUnreachable
from enclave.keys import BootKeys
from enclave.kms.client import MAX_WRAPPED_BYTES
from enclave.kms.credentials import PushedCredentialProvider, PushedCredentials
from enclave.kms.https import RETRY_S
from enclave.kms.isolation import kms_host
from strongroom.protocol.configuration import KeyEntry
from tests.enclave.deployment import ARN
from tests.enclave.kms_world import (
    CONTEXT,
    DATA_KEY,
    ENTRY,
    KEYS,
    NOW_MS,
    World,
    answer_with,
    credentials,
    envelope,
    honest,
)
from tests.enclave.lying_kms import Answer


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_honest_answer_opens_and_the_connection_is_kept(world: World) -> None:
    with world.lies(honest) as host:
        client = world.client()
        for _ in range(3):
            assert client.unwrap(ENTRY, CONTEXT, b"wrapped") == DATA_KEY
        assert host.operations == ["Decrypt"] * 3
        assert host.destinations == ["CONNECT kms.us-east-1.amazonaws.com:443"]


def test_what_is_asked_is_what_is_configured(world: World) -> None:
    asked: list[dict[str, Any]] = []

    def listen(operation: str, members: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked.append(members)
        return honest(operation, members)

    with world.lies(listen):
        world.unwrap()
    [members] = asked
    assert (members["KeyId"], members["EncryptionContext"]) == (ARN, CONTEXT)
    assert members["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    assert base64.b64decode(members["CiphertextBlob"]) == b"wrapped"


def error(code: str, status: int = 400) -> Answer:
    return lambda operation, members: (status, {"__type": code, "message": "CANARY"})


def ok(**changes: Any) -> Answer:
    return lambda operation, members: (200, answer_with(**changes))


OTHER_KEY = BootKeys.generate().recipient_spki()
GARBAGE = base64.b64encode(b"x" * 500).decode()

LIES: dict[str, tuple[Callable[[], Answer], str]] = {
    "another key id": (lambda: ok(KeyId=ARN.replace("1234abcd", "ffffffff")), "kms-wrong-key"),
    "another account's key": (lambda: ok(KeyId=ARN.replace("000000000000", "111111111111")), "kms-wrong-key"),
    "the key's id without its account": (lambda: ok(KeyId=ARN.rpartition("/")[2]), "kms-wrong-key"),
    "no key id": (lambda: ok(KeyId=None), "kms-wrong-key"),
    "a plaintext": (lambda: ok(Plaintext=base64.b64encode(DATA_KEY).decode()), "kms-plaintext"),
    "a plaintext alone": (lambda: ok(Plaintext="AAAA", CiphertextForRecipient=None), "kms-plaintext"),
    "another algorithm": (lambda: ok(EncryptionAlgorithm="RSAES_OAEP_SHA_256"), "kms-bad-answer"),
    "no envelope": (lambda: ok(CiphertextForRecipient=None), "kms-bad-answer"),
    "no base64": (lambda: ok(CiphertextForRecipient="!"), "kms-bad-envelope"),
    "garbage": (lambda: ok(CiphertextForRecipient=GARBAGE), "kms-bad-envelope"),
    "too long": (lambda: ok(CiphertextForRecipient=base64.b64encode(b"x" * 20_000).decode()), "kms-bad-envelope"),
    "for another recipient": (lambda: ok(CiphertextForRecipient=envelope(DATA_KEY, OTHER_KEY)), "kms-bad-envelope"),
    "a short key": (lambda: ok(CiphertextForRecipient=envelope(b"d", KEYS.recipient_spki())), "kms-bad-envelope"),
    "a long key": (lambda: ok(CiphertextForRecipient=envelope(b"d" * 33, KEYS.recipient_spki())), "kms-bad-envelope"),
    "denied": (lambda: error("AccessDeniedException"), "kms-access-denied"),
    "another error": (lambda: error("InvalidCiphertextException"), "kms-error"),
    "an unknown error": (lambda: error("Surprise", 418), "kms-error"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_not_quoted(world: World, lie: str) -> None:
    make, code = LIES[lie]
    with world.lies(make()) as host, pytest.raises(KMSRefused) as caught:
        world.unwrap()
    assert caught.value.code == code
    assert "CANARY" not in str(caught.value)
    assert host.operations == ["Decrypt"], "an answer is not asked for twice"


@pytest.mark.parametrize(
    ("code", "status"),
    [("KMSInternalException", 500), ("DependencyTimeoutException", 500), ("KeyUnavailableException", 500), ("", 503)],
)
def test_kms_own_faults_are_tried_three_times_and_can_be_tried_again(world: World, code: str, status: int) -> None:
    with world.lies(error(code, status)) as host, pytest.raises(KMSUnreachable):
        world.unwrap()
    assert host.operations == ["Decrypt"] * 3


def test_a_fault_that_passes_is_not_seen(world: World) -> None:
    faults = iter([error("KMSInternalException", 500), honest])
    with world.lies(lambda operation, members: next(faults)(operation, members)):
        assert world.unwrap() == DATA_KEY


def test_a_retry_comes_a_second_later_at_the_earliest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with world.lies(error("ThrottlingException")), pytest.raises(KMSUnreachable):
        world.client(retry_s=RETRY_S).unwrap(ENTRY, CONTEXT, b"wrapped")
    assert waits.count(RETRY_S) == 2
    assert RETRY_S >= 1


@pytest.mark.parametrize("status", [400, 503])
def test_throttling_can_be_tried_again(world: World, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", waits.append)
    with world.lies(error("ThrottlingException", status)) as host, pytest.raises(KMSUnreachable):
        world.unwrap()
    assert host.operations == ["Decrypt"] * 3
    assert sum(waits) <= 3


def test_nothing_is_asked_that_the_configuration_does_not_allow(world: World) -> None:
    with world.lies(honest) as host:
        client = world.client()
        for context in ({}, CONTEXT | {"purpose": "request"}, CONTEXT | {"tenant": "other"}, {"purpose": "model"}):
            with pytest.raises(KMSRefused) as caught:
                client.unwrap(ENTRY, context, b"wrapped")
            assert caught.value.code == "kms-wrong-context"
        entry = KeyEntry("models", "model", "demo", ARN, {"data-class": "phi"})
        with pytest.raises(KMSRefused):
            client.unwrap(entry, CONTEXT, b"wrapped")
        for wrapped in (b"", b"x" * (MAX_WRAPPED_BYTES + 1)):
            with pytest.raises(KMSRefused) as caught:
                client.unwrap(ENTRY, CONTEXT, wrapped)
            assert caught.value.code == "kms-bad-wrapped-key"
        assert client.unwrap(entry, CONTEXT | entry.context, b"x" * MAX_WRAPPED_BYTES) == DATA_KEY
    assert host.operations == ["Decrypt"]


def test_credentials_do_not_show_when_they_are_printed() -> None:
    pushed = PushedCredentials("AKIAPUSHED", "CANARY-SECRET", "CANARY-TOKEN", NOW_MS)
    for text in (repr(pushed), str(pushed), f"{[pushed]}"):
        assert "CANARY" not in text
        assert "AKIAPUSHED" in text


def test_credentials_never_pushed_or_expired_reach_nobody(world: World) -> None:
    with world.lies(honest) as host:
        world.provider = PushedCredentialProvider(lambda: NOW_MS)
        with pytest.raises(KMSUnreachable, match="push"):
            world.unwrap()
        world.provider.push(credentials(expires_ms=NOW_MS))
        with pytest.raises(KMSUnreachable, match="expired"):
            world.unwrap()
        assert host.destinations == []


def test_the_last_push_signs_the_next_request(world: World) -> None:
    with world.lies(honest) as host:
        client = world.client()
        for key_id in ("AKIAFIRST", "AKIASECOND"):
            world.provider.push(credentials(key_id))
            client.unwrap(ENTRY, CONTEXT, b"wrapped")
    assert ["AKIAFIRST" in head for head in host.heads] == [True, False]
    assert ["AKIASECOND" in head for head in host.heads] == [False, True]


@pytest.mark.parametrize("code", ["ExpiredTokenException", "ExpiredToken"])
def test_credentials_that_kms_calls_expired_are_asked_for_again(world: World, code: str) -> None:
    with world.lies(error(code)), pytest.raises(KMSUnreachable, match="push"):
        world.unwrap()


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "InvalidSignatureException"])
def test_credentials_of_nobody_are_refused(world: World, code: str) -> None:
    with world.lies(error(code)), pytest.raises(KMSRefused):
        world.unwrap()


def test_the_measured_switch_selects_the_fips_endpoint(world: World) -> None:
    with world.lies(honest) as host:
        assert world.client(fips=True).unwrap(ENTRY, CONTEXT, b"wrapped") == DATA_KEY
    assert host.destinations == ["CONNECT kms-fips.us-east-1.amazonaws.com:443"]


@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "ap-southeast-7"])
def test_the_host_is_the_one_that_aws_publishes(region: str, fips: bool) -> None:
    config = botocore.config.Config(use_fips_endpoint=fips)
    client = botocore.session.Session().create_client("kms", region_name=region, config=config)
    assert client.meta.endpoint_url == f"https://{kms_host(region, fips=fips)}"


def test_the_environment_and_files_change_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The image clears the environment first (test_kms_secrets.py); here botocore meets it."""
    home = tmp_path / "home"
    (home / ".aws" / "models" / "kms" / "2014-11-01").mkdir(parents=True)
    (home / ".aws" / "models" / "kms" / "2014-11-01" / "service-2.json").write_text("{}")
    (home / ".aws" / "models" / "endpoints.json").write_text("{}")
    config = home / ".aws" / "config"
    config.write_text("[default]\nregion=eu-west-1\nendpoint_url=https://127.0.0.1:1\nca_bundle=/nonexistent\n")
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id=AKIAFILE\naws_secret_access_key=x\n")
    hostile = {
        "HOME": str(home),
        "AWS_ENDPOINT_URL": "https://127.0.0.1:1",
        "AWS_ENDPOINT_URL_KMS": "https://127.0.0.1:1",
        "AWS_CA_BUNDLE": "/nonexistent",
        "AWS_DATA_PATH": str(home / ".aws" / "models"),
        "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
        "AWS_SECRET_ACCESS_KEY": "hostile",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
        "AWS_PROFILE": "hostile",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_RETRY_MODE": "adaptive",
        "AWS_MAX_ATTEMPTS": "99",
        "BOTO_CONFIG": "/nonexistent",
        "CURL_CA_BUNDLE": "/nonexistent",
        "REQUESTS_CA_BUNDLE": "/nonexistent",
        "SSL_CERT_FILE": "/nonexistent",
        "SSL_CERT_DIR": "/nonexistent",
        "PYTHONHTTPSVERIFY": "0",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "https_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.loaders.Loader.CUSTOMER_DATA_PATH", str(home / ".aws" / "models"))
    with world.lies(honest) as host:
        assert world.unwrap() == DATA_KEY
    assert host.destinations == ["CONNECT kms.us-east-1.amazonaws.com:443"]
    assert "AKIAPUSHED" in host.heads[0]
    with world.lies(error("KMSInternalException", 500)) as host, pytest.raises(KMSUnreachable):
        world.unwrap()
    assert len(host.operations) == 3
    assert os.environ["AWS_PROFILE"] == "hostile"


def describing(**changes: Any) -> Answer:
    answers: dict[str, dict[str, Any]] = {
        "DescribeKey": {"KeyMetadata": {"Arn": ARN, "KeyId": "1234abcd"}},
        "GetKeyPolicy": {"Policy": "{}"},
        "ListGrants": {"Grants": [], "Truncated": False},
    }
    return lambda operation, members: (200, {**answers[operation], **changes.get(operation, {})})


def test_a_key_is_described_in_three_answers(world: World) -> None:
    with world.lies(describing()) as host:
        metadata, policy, grants = world.client().describe_key(ARN)
    assert (metadata["Arn"], policy, grants) == (ARN, "{}", [])
    assert host.operations == ["DescribeKey", "GetKeyPolicy", "ListGrants"]


@pytest.mark.parametrize(
    ("operation", "members", "code"),
    [
        ("DescribeKey", {"KeyMetadata": {"Arn": ARN.replace("1234abcd", "ffffffff")}}, "kms-wrong-key"),
        ("DescribeKey", {"KeyMetadata": {}}, "kms-wrong-key"),
        ("DescribeKey", {"KeyMetadata": None}, "kms-bad-answer"),
        ("DescribeKey", {"KeyMetadata": [1]}, "kms-bad-answer"),
        ("GetKeyPolicy", {"Policy": None}, "kms-bad-answer"),
        ("GetKeyPolicy", {"Policy": {"Statement": []}}, "kms-bad-answer"),
        ("ListGrants", {"Grants": None}, "kms-bad-answer"),
        ("ListGrants", {"Grants": {"x": 1}}, "kms-bad-answer"),
        ("ListGrants", {"Truncated": True}, "kms-bad-answer"),
    ],
)
def test_a_description_of_another_form_or_key_is_refused(
    world: World, operation: str, members: dict[str, Any], code: str
) -> None:
    with world.lies(describing(**{operation: members})), pytest.raises(KMSRefused) as caught:
        world.client().describe_key(ARN)
    assert caught.value.code == code
