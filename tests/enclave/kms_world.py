"""A KMS client of the enclave with everything around it: keys, documents, credentials, and a host that may lie."""

import base64
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attestation.documents import AttestationDocument
from enclave.clock import Clock
from enclave.evidence import Evidence
from enclave.keys import BootKeys
from enclave.kms.client import KMSClient
from enclave.kms.credentials import PushedCredentialProvider, PushedCredentials
from strongroom.protocol.configuration import KMSSettings
from strongroom.simulator.cms import ciphertext_for_recipient
from strongroom.simulator.kms.tls import server_certificate
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.transport.addresses import UnixAddress
from tests.enclave.deployment import ARN, configuration, new_nsm
from tests.enclave.lying_kms import Answer, Host, Talk, answering, serve, server_context

KEYS = BootKeys.generate()
NOW_MS = 1_790_000_000_000
DATA_KEY = b"d" * 32
CONTEXT = {"purpose": "model", "tenant": "demo", "model": "tiny", "version": "1"}
ENTRY = configuration().key[0]
REGION = "us-east-1"


def credentials(access_key_id: str = "AKIAPUSHED", *, expires_ms: int = NOW_MS + 1) -> PushedCredentials:
    """What the parent pushes."""
    return PushedCredentials(access_key_id, "secret", "token", expires_ms)


@dataclass
class World:
    """One folder, the roots that the enclave trusts, the credentials that were pushed."""

    folder: Path
    ca_pem: str = field(init=False)
    provider: PushedCredentialProvider = field(default_factory=lambda: PushedCredentialProvider(lambda: NOW_MS))

    _clients: list[KMSClient] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.certificate = server_certificate(self.folder, region=REGION)
        self.ca_pem = (self.folder / "tls" / "ca.pem").read_text()
        self.socket = self.folder / "proxy.sock"
        self.provider.push(credentials())

    def client(self, attempt_s: float = 10.0, retry_s: float = 0.0, **settings: Any) -> KMSClient:
        """A client in its first moment. `classical`, so that OpenSSL's age does not matter; no pauses, for speed."""
        nsm = new_nsm()
        client = KMSClient(
            UnixAddress(self.socket),
            KMSSettings(runtime_role=PARENT_ROLE, ca_pem=self.ca_pem, classical=True, **settings),
            REGION,
            self.provider,
            evidence=Evidence(nsm, KEYS, Clock(nsm.attest())),
            keys=KEYS,
            attempt_s=attempt_s,
            retry_s=retry_s,
        )
        self._clients.append(client)
        return client

    def unwrap(self, attempt_s: float = 10.0) -> bytes:
        """One data key, by a new client."""
        return self.client(attempt_s).unwrap(ENTRY, CONTEXT, b"wrapped")

    @contextmanager
    def host(self, talk: Talk, context: ssl.SSLContext | None = None, *, accept: bytes = b"OK\n") -> Iterator[Host]:
        """A host that talks like this under KMS's certificate, or another context."""
        with serve(self.socket, talk, context or server_context(self.certificate), accept=accept) as host:
            try:
                yield host
            finally:
                for client in self._clients:
                    client.close()

    def lies(self, answer: Answer) -> AbstractContextManager[Host]:
        """A host that answers as KMS, under its certificate."""
        return self.host(answering(answer))


def honest(operation: str, members: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """What KMS does: it seals to the key in the document, whoever asks."""
    assert operation == "Decrypt"
    assert members["Recipient"]["KeyEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    document = AttestationDocument.from_bytes(base64.b64decode(members["Recipient"]["AttestationDocument"]))
    assert document.public_key is not None
    return 200, answer_with(KeyId=members["KeyId"], CiphertextForRecipient=envelope(DATA_KEY, document.public_key))


def answer_with(**changes: Any) -> dict[str, Any]:
    """The members of an honest answer to Decrypt, with changes."""
    sealed = envelope(DATA_KEY, KEYS.recipient_spki())
    return {"KeyId": ARN, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "CiphertextForRecipient": sealed, **changes}


def envelope(plaintext: bytes, spki: bytes) -> str:
    """CiphertextForRecipient as the JSON holds it."""
    return base64.b64encode(ciphertext_for_recipient(plaintext, spki)).decode()
