"""A client in the enclave's process: seals requests, opens answers, and believes none without its receipt."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attestation.anchors import SimulatedTrustAnchor
from attestation.documents import AttestationDocument
from attestation.evidence import Evidence
from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import VerifiedReceipt, verify_receipt
from attestation.receipts import ReceiptSalts, leaf_data
from attestation.verifier import VerifiedDocument, verify
from enclave.errors import KMSRefused
from enclave.serving.admission import Admitted
from enclave.serving.service import InferenceService
from strongroom.models.package import load_package
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, Limits
from strongroom.protocol.contents import request_content, response_content, split_receipt
from strongroom.protocol.envelopes import seal_envelope
from strongroom.protocol.events import decode_events
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.payloads import ChatTask, Event, InferTask, Message, Request, Rest, Task
from strongroom.protocol.requests import seal_request
from strongroom.protocol.responses import ResponseOpener
from strongroom.protocol.tensors import Tensor
from tests.enclave.deployment import PKI, Booting, configuration

CHAT = ChatTask(messages=[Message("user", "hello")], max_tokens=4)
INFER = InferTask(tensors={"x": Tensor("float32", [1, 4], np.ones((1, 4), "<f4").tobytes())})
DAY_MS = 86_400_000


class KMS:
    """Wraps data keys for the sealer and unwraps them for the enclave, under the same entry and context alone."""

    def __init__(self) -> None:
        self.keys: dict[bytes, tuple[KeyEntry, bytes]] = {}
        self.asked: list[bytes] = []
        self.fault: Exception | None = None

    def wrap(self, entry: KeyEntry) -> tuple[bytes, bytes]:
        """A data key, and the same wrapped."""
        wrapped, data_key = b"wrapped " + secrets.token_bytes(16), secrets.token_bytes(32)
        self.keys[wrapped] = entry, data_key
        return data_key, wrapped

    def unwrap(self, entry: KeyEntry, context: dict[str, str], wrapped: bytes) -> bytes:
        """As BootSequence.unwrap."""
        self.asked.append(wrapped)
        if self.fault is not None:
            raise self.fault
        known, data_key = self.keys.get(wrapped, (None, b""))
        if known != entry or context != entry.fixed_context:
            raise KMSRefused("kms-invalid-ciphertext", "expected a data key of this entry")
        return data_key


@dataclass(frozen=True)
class Answer:
    """One answer, its receipt verified against the document that its head names."""

    events: list[Event]
    pieces: list[bytes]
    receipt: VerifiedReceipt
    leaf: bytes


class Caller:
    """Holds one secret and the enclave's key."""

    def __init__(self, enclave: Booting, service: InferenceService) -> None:
        self.enclave, self.service = enclave, service
        self.clock = enclave.boot.identity.clock
        self.key = enclave.boot.identity.keys.configurations[0]
        self.secret = secrets.token_bytes(32)
        self.kms = KMS()

    def seal(
        self,
        task: Task = CHAT,
        *,
        stream: bool = False,
        model: str = "tiny-decoder",
        age_ms: int = 0,
        key: KeyConfiguration | None = None,
        request_id: bytes | None = None,
    ) -> bytes:
        """A request under HPKE."""
        return seal_request(
            Request(self.secret, stream, task),
            key or self.key,
            request_id=request_id or secrets.token_bytes(16),
            at_ms=self.clock.now_ms() - age_ms,
            model=model,
        )

    def envelope(
        self,
        entry: KeyEntry,
        *,
        rest: Rest | None = None,
        age_ms: int = 0,
        stream: bool = False,
        model: str = "tiny-tensor",
        request_id: bytes | None = None,
        wrapped: tuple[bytes, bytes] | None = None,
    ) -> bytes:
        """A KMS envelope under a data key of that entry; for a day and any number of uses, if not told otherwise."""
        data_key, blob = wrapped or self.kms.wrap(entry)
        return seal_envelope(
            Request(self.secret, stream, INFER, rest or self.rest()),
            data_key=data_key,
            wrapped=blob,
            arn=entry.arn,
            context=entry.fixed_context,
            request_id=request_id or secrets.token_bytes(16),
            at_ms=self.clock.now_ms() - age_ms,
            model=model,
        )

    def rest(self, *, after_ms: int = DAY_MS, single_use: bool = False) -> Rest:
        """What a sealer allows from now on."""
        return Rest(self.clock.now_ms() + after_ms, single_use)

    async def admit(self, message: bytes) -> Admitted:
        """Have it admitted, and nothing run."""
        admitted = await self.service.open(message)
        admitted.place.give_back()
        return admitted

    async def ask(self, message: bytes) -> Answer:
        """Have it answered, and check all that can be checked."""
        admitted = await self.service.open(message)
        return self.read(admitted, [piece async for piece in self.service.answer(admitted)])

    def read(self, admitted: Admitted, pieces: Sequence[bytes]) -> Answer:
        """Open an answer; raise what a client would raise."""
        opener = ResponseOpener(self.secret, admitted.message, admitted.media_type)
        opened = [event for piece in pieces for body in opener.feed(piece) for event in decode_events(body)]
        opener.finish()
        assert opener.head is not None
        content, receipt = split_receipt(opened)
        salts = ReceiptSalts.derive(self.secret, opener.head.salt)
        verified = verify_receipt(
            receipt,
            self.document(opener.head.document_digest),
            evidence=self.evidence(opener.head.document_digest),
            request=Opening(salts.request, request_content(admitted.request.task)),
            response=Opening(salts.response, response_content(content)),
        )
        payload = verified.claims.to_payload()
        assert hashlib.sha256(payload).digest() == verified.payload_sha256
        return Answer(opened[:-1], list(pieces), verified, leaf_data(salts.leaf, payload))

    def evidence(self, digest: bytes) -> Evidence:
        """What the enclave states under that document."""
        kept = self.service.documents.find(digest)
        assert kept is not None
        return Evidence.from_bytes(self.enclave.boot.client_evidence.joined(kept.data))

    def document(self, digest: bytes) -> VerifiedDocument:
        """The document of that digest, verified."""
        document = AttestationDocument.from_bytes(self.evidence(digest).document)
        return verify(
            document,
            anchor=SimulatedTrustAnchor.from_pem(PKI.root_pem()),
            policy=UnsafeAnyMeasurement(),
            mode=Archived(document.timestamp_ms),
            allow_simulated=True,
        )


async def ready(
    *packages: Path, limits: Limits | None = None, deployment: DeploymentConfiguration | None = None
) -> Caller:
    """An enclave whose models are loaded, without the KMS steps in between; KMS is the caller's from here on."""
    enclave = Booting(list(packages), configuration=deployment or configuration(limits=limits))
    kms = KMS()
    enclave.boot.unwrap = kms.unwrap  # type: ignore[method-assign]  # in place of the proxy and KMS behind it
    service = await enclave.to_service()
    for package in packages:
        _, manifest, paths = load_package(package)
        enclave.engine.load(manifest, {name: path.read_bytes() for name, path in paths.items()})
    caller = Caller(enclave, service)
    caller.kms = kms
    return caller
