"""One key release, by the enclave's client and by plain boto3."""

from __future__ import annotations

from typing import Any

from benchmarks.release.account import WrappedKey
from benchmarks.release.latency import Call
from enclave.kms.client import KMSClient
from strongroom.protocol.configuration import KeyEntry


class WrongKey(Exception):
    """Something else came back than the data key that was wrapped."""


def by_enclave(client: KMSClient, entry: KeyEntry, key: WrappedKey) -> Call:
    """Document, call, checks, opening. The call raises EnclaveError or WrongKey."""

    def release() -> None:
        if client.unwrap(entry, entry.fixed_context, key.wrapped) != key.data_key:
            raise WrongKey

    return release


def by_boto3(client: Any, entry: KeyEntry, key: WrappedKey, document: bytes) -> Call:
    """The call alone. It raises ClientError, or WrongKey for an answer that is not for an enclave."""

    def release() -> None:
        answer = client.decrypt(
            KeyId=entry.arn,
            CiphertextBlob=key.wrapped,
            EncryptionContext=entry.fixed_context,
            EncryptionAlgorithm="SYMMETRIC_DEFAULT",
            Recipient={"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document},
        )
        if not answer.get("CiphertextForRecipient"):
            raise WrongKey

    return release
