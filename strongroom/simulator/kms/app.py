"""The dev KMS as an ASGI app: AWS's JSON protocol 1.1 on `POST /`, spoken by an unmodified boto3."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

from attestation.anchors import SimulatedTrustAnchor
from strongroom.simulator.kms import administrative, asymmetric, cryptographic
from strongroom.simulator.kms.backend import Backend
from strongroom.simulator.kms.credentials import Callers
from strongroom.simulator.kms.errors import KMSError
from strongroom.simulator.kms.recipient import Recipient, verified_recipient
from strongroom.simulator.kms.request import Answer, Request
from strongroom.simulator.nsm import wall_clock_ms
from strongroom.simulator.pki import SimulatedPKI

MAX_BODY_BYTES = 1 << 20
_SERVICE = "TrentService"
OPERATIONS = cryptographic.OPERATIONS | asymmetric.OPERATIONS | administrative.OPERATIONS
"""What each operation of KMS does here, by the name in `X-Amz-Target`."""

_RECIPIENT_OPERATIONS = frozenset(
    {"Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"}
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class DevKMS:
    """KMS in one region; `account` is the one of unknown credentials. `clock` gives milliseconds since the epoch."""

    def __init__(
        self,
        state_dir: Path,
        *,
        region: str,
        account: str,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._anchor = SimulatedTrustAnchor.from_pem(SimulatedPKI.open(state_dir, region=region).root_pem())
        self._callers = Callers(state_dir, region=region, account=account)
        self._region = region
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry; only `http` scopes are served."""
        if scope["type"] != "http":
            raise RuntimeError(f"expected an http scope, got {scope['type']}")
        try:
            body = await _body(receive)
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            answer = self._answer(scope["method"], scope["path"], headers, body)
            await _respond(send, HTTPStatus.OK, answer)
        except KMSError as error:
            await _respond(send, error.status, error.to_json())

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        service, _, operation = headers.get("x-amz-target", "").partition(".")
        if (method, path, service) != ("POST", "/", _SERVICE) or operation not in OPERATIONS:
            raise KMSError("UnknownOperationException", "expected POST / with an operation of KMS in X-Amz-Target")
        at_ms = self._clock()
        caller = self._callers.identify(headers, body, at_s=at_ms / 1000)
        members = _members(body)
        recipient = self._recipient(operation, members, at_ms)
        backend = Backend(account=caller.account, region=self._region)
        return OPERATIONS[operation](backend, Request(operation, members, caller, at_ms, recipient))

    def _recipient(self, operation: str, members: dict[str, object], at_ms: int) -> Recipient | None:
        if "Recipient" not in members:
            return None
        if operation not in _RECIPIENT_OPERATIONS:
            raise KMSError("ValidationException", f"{operation} takes no Recipient")
        return verified_recipient(members["Recipient"], anchor=self._anchor, at_ms=at_ms)


def build_app(state_dir: Path, *, region: str = "us-east-1", account: str = "000000000000") -> DevKMS:
    """The dev KMS over `state_dir`: its PKI is trusted for documents, its credentials.json names the roles."""
    return DevKMS(state_dir, region=region, account=account)


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise KMSError(
                "RequestEntityTooLargeException",
                f"expected at most {MAX_BODY_BYTES} bytes",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        if not message.get("more_body", False):
            return bytes(body)


def _members(body: bytes) -> dict[str, object]:
    try:
        members = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise KMSError("SerializationException", "expected a JSON document") from error
    if not isinstance(members, dict):
        raise KMSError("SerializationException", "expected a JSON object")
    return members


async def _respond(send: Send, status: int, answer: Answer | dict[str, str]) -> None:
    body = json.dumps(answer).encode()
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", str(uuid4()).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
