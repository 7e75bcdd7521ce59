"""Sealing without a live enclave: requests under a data key of KMS, which may rest for months (review R8)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import msgspec

from strongroom.client.errors import InvalidArgument
from strongroom.client.sealing import SealedRequest, sealing
from strongroom.client.tickets import Ticket
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry
from strongroom.protocol.constants import DATA_KEY_BYTES, MEDIA_SEALED_RESPONSE, REQUEST_ID_BYTES, SECRET_BYTES
from strongroom.protocol.contents import request_content
from strongroom.protocol.envelopes import entry_id, seal_envelope
from strongroom.protocol.errors import InvalidDocument
from strongroom.protocol.messages import MAX_WRAPPED_KEY_BYTES
from strongroom.protocol.names import Identifier
from strongroom.protocol.payloads import Request, Rest, Task


class KMSClient(Protocol):
    """What sealing needs of a boto3 client for KMS, which has the caller's credentials: kms:GenerateDataKey."""

    def generate_data_key(self, **arguments: Any) -> Any:
        """With KeyId, KeySpec and EncryptionContext."""


@dataclass(frozen=True)
class EnvelopeSealer:
    """A data key under one key entry of a deployment; it seals any number of requests. Raises InvalidArgument."""

    entry: KeyEntry
    data_key: bytes = field(repr=False)
    """32 bytes, to be forgotten after the run."""
    wrapped: bytes = field(repr=False)
    """KMS's CiphertextBlob of it."""

    def __post_init__(self) -> None:
        if len(self.data_key) != DATA_KEY_BYTES or not 1 <= len(self.wrapped) <= MAX_WRAPPED_KEY_BYTES:
            raise InvalidArgument(f"data key: expected {DATA_KEY_BYTES} bytes, in plain and wrapped, got another")

    @classmethod
    def generate(cls, kms: KMSClient, configuration: DeploymentConfiguration, key_entry: str) -> Self:
        """One kms:GenerateDataKey under the entry of that id and purpose `request`.

        Raises InvalidArgument, and what the client of KMS raises.
        """
        entry = request_entry(configuration, key_entry)
        answer: Mapping[str, Any] = kms.generate_data_key(
            KeyId=entry.arn, KeySpec="AES_256", EncryptionContext=entry.fixed_context
        )
        if answer.get("KeyId") != entry.arn:
            raise InvalidArgument("data key: expected one under the key asked for, got another answer from KMS")
        return cls(entry, answer.get("Plaintext", b""), answer.get("CiphertextBlob", b""))

    def seal(self, task: Task, *, model: str, not_after_ms: int, at_ms: int, single_use: bool = True) -> Ticket:
        """Seal `task` at `at_ms`: `.sealed` may go anywhere, the ticket opens its answer and stays with its owner.

        It is answered until `not_after_ms` (400 days after `at_ms` at most), with `single_use` once in each boot of an
        enclave at most; milliseconds since the epoch. Raises InvalidArgument.
        """
        secret = secrets.token_bytes(SECRET_BYTES)
        with sealing():
            message = seal_envelope(
                Request(secret, stream=False, task=task, rest=Rest(not_after_ms, single_use)),
                data_key=self.data_key,
                wrapped=self.wrapped,
                arn=self.entry.arn,
                context=self.entry.fixed_context,
                request_id=secrets.token_bytes(REQUEST_ID_BYTES),
                at_ms=at_ms,
                model=msgspec.convert(model, Identifier),
            )
        return Ticket(SealedRequest(message, secret, request_content(task), MEDIA_SEALED_RESPONSE), not_after_ms)


def request_entry(configuration: DeploymentConfiguration, key_entry: str) -> KeyEntry:
    """The key entry of that id and purpose `request`. Raises InvalidArgument."""
    try:
        return configuration.find_key(key_entry, "request")
    except InvalidDocument as error:
        raise InvalidArgument(str(error)) from None


def is_sealed_under(ticket: Ticket, entry: KeyEntry) -> bool:
    """Whether the ticket's request is sealed under that key entry."""
    return ticket.asked.head.key_id == entry_id(entry.arn, entry.fixed_context)
