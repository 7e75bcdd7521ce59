"""The ASGI app itself: bounds and shapes that boto3 would never send."""

import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from strongroom.simulator.kms.app import MAX_BODY_BYTES, DevKMS, build_app
from strongroom.simulator.nsm import wall_clock_ms

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=anyone/20260101/us-east-1/kms/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> DevKMS:
    return build_app(tmp_path_factory.mktemp("state"))


async def ask(
    app: DevKMS,
    body: bytes | list[bytes],
    *,
    target: str = "TrentService.ListKeys",
    method: str = "POST",
    path: str = "/",
    authorization: str = AUTHORIZATION,
) -> tuple[int, dict[str, Any]]:
    chunks = [body] if isinstance(body, bytes) else body
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"x-amz-target", target.encode()), (b"authorization", authorization.encode())]
    await app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize("body", [bytes(MAX_BODY_BYTES + 1), [bytes(MAX_BODY_BYTES), b"x"], [b"x" * 65_536] * 17])
async def test_a_large_body_is_refused(app: DevKMS, body: bytes | list[bytes]) -> None:
    status, answer = await ask(app, body)
    assert (status, answer["__type"]) == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b"1"])
async def test_a_body_that_is_no_object_is_refused(app: DevKMS, body: bytes) -> None:
    status, answer = await ask(app, body)
    assert (status, answer["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    "request_line",
    [
        {"target": "TrentService.ListKey"},
        {"target": ""},
        {"target": "ListKeys"},
        {"target": "DynamoDB.ListKeys"},
        {"target": "TrentService.__init__"},
        {"method": "GET"},
        {"path": "/moto-api/reset"},
    ],
)
async def test_another_operation_is_unknown(app: DevKMS, request_line: dict[str, str]) -> None:
    status, answer = await ask(app, b"{}", **request_line)
    assert (status, answer["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    ("target", "members"),
    [
        ("Decrypt", {}),
        ("Decrypt", {"CiphertextBlob": "!"}),
        ("Decrypt", {"CiphertextBlob": ""}),
        ("Decrypt", {"CiphertextBlob": 1}),
        ("Decrypt", {"CiphertextBlob": "QUJD", "EncryptionContext": []}),
        ("Decrypt", {"CiphertextBlob": "QUJD", "EncryptionContext": {"a": 1}}),
        ("Decrypt", {"CiphertextBlob": "QUJD", "EncryptionContext": {"a": "b" * 9000}}),
        ("Decrypt", {"CiphertextBlob": "QUJD", "Recipient": None}),
        ("Decrypt", {"CiphertextBlob": "QUJD", "Recipient": {}}),
        ("Decrypt", {"Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "!"}}),
        ("Decrypt", {"Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": 1}}),
        ("DescribeKey", {"KeyId": ["k"]}),
        ("GenerateDataKey", {"KeyId": "k", "NumberOfBytes": True}),
        ("GenerateRandom", {"NumberOfBytes": 0}),
        ("PutKeyPolicy", {"KeyId": "k" * 3000}),
    ],
)
async def test_members_of_another_shape_are_refused(app: DevKMS, target: str, members: dict[str, object]) -> None:
    status, answer = await ask(app, json.dumps(members).encode(), target=f"TrentService.{target}")
    assert (status, answer["__type"]) == (400, "ValidationException")


async def test_a_recipient_where_kms_has_none_is_refused(app: DevKMS) -> None:
    members = json.dumps({"KeyId": "k", "Plaintext": "QUJD", "Recipient": {}}).encode()
    _, answer = await ask(app, members, target="TrentService.Encrypt")
    assert answer == {"__type": "ValidationException", "message": "Encrypt takes no Recipient"}


async def test_what_moto_cannot_carry_out_is_a_validation_error(app: DevKMS) -> None:
    _, made = await ask(app, b"{}", target="TrentService.CreateKey")
    members = json.dumps({"KeyId": made["KeyMetadata"]["KeyId"], "Tags": 7}).encode()
    status, answer = await ask(app, members, target="TrentService.TagResource")
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert "moto" in answer["message"]


async def test_null_is_as_good_as_nothing_for_a_new_key(app: DevKMS) -> None:
    members = json.dumps(dict.fromkeys(("KeyUsage", "KeySpec", "Policy", "Description", "Tags", "Origin")))
    status, made = await ask(app, members.encode(), target="TrentService.CreateKey")
    assert (status, made["KeyMetadata"]["KeyUsage"]) == (200, "ENCRYPT_DECRYPT")


async def test_a_request_without_signature_is_refused(app: DevKMS) -> None:
    status, answer = await ask(app, b"{}", authorization="")
    assert (status, answer["__type"]) == (400, "IncompleteSignatureException")


async def test_another_scope_is_refused(app: DevKMS) -> None:
    async def receive() -> MutableMapping[str, Any]:
        return {}

    async def send(message: MutableMapping[str, Any]) -> None:
        raise AssertionError(message)

    with pytest.raises(RuntimeError, match="websocket"):
        await app({"type": "websocket"}, receive, send)


async def test_access_denied_alone_spells_message_with_a_capital(app: DevKMS) -> None:
    _, described = await ask(app, b'{"KeyId": "none"}', target="TrentService.DescribeKey")
    assert set(described) == {"__type", "message"}
    policy = json.dumps({"Statement": []})
    members = {"Policy": policy, "BypassPolicyLockoutSafetyCheck": True}
    _, made = await ask(app, json.dumps(members).encode(), target="TrentService.CreateKey")
    key_id = made["KeyMetadata"]["KeyId"]
    _, denied = await ask(app, json.dumps({"KeyId": key_id}).encode(), target="TrentService.DescribeKey")
    assert denied == {
        "__type": "AccessDeniedException",
        "Message": "User: arn:aws:iam::000000000000:root is not authorized to perform: kms:DescribeKey on resource: "
        f"{made['KeyMetadata']['Arn']} because no resource-based policy allows the kms:DescribeKey action",
    }


async def test_a_key_lives_in_its_account_and_region(tmp_path: Path) -> None:
    at_home = build_app(tmp_path, region="eu-central-1", account="222222222222")
    _, made = await ask(at_home, b"{}", target="TrentService.CreateKey")
    assert made["KeyMetadata"]["Arn"].startswith("arn:aws:kms:eu-central-1:222222222222:key/")
    elsewhere = build_app(tmp_path, region="eu-west-1", account="222222222222")
    named = json.dumps({"KeyId": made["KeyMetadata"]["Arn"]}).encode()
    _, answer = await ask(elsewhere, named, target="TrentService.DescribeKey")
    assert answer["__type"] == "NotFoundException"


def test_the_clock_counts_milliseconds_since_the_epoch() -> None:
    assert 1_700_000_000_000 < wall_clock_ms() < 10_000_000_000_000
