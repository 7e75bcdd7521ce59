"""An enclave for tests: real keys, real sealing, real simulated documents; its answers are made up."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha384
from typing import Any, get_args

from cryptography.hazmat.primitives.asymmetric import ec

from attestation.bindings import statement_user_data
from attestation.documents import AttestationDocument
from attestation.evidence import Evidence, boot_id
from attestation.measurements import CATALOGUE_LABEL, CATALOGUE_PCR, CONFIGURATION_PCR, PARENT_ROLE_PCR, labelled_digest
from attestation.merkle import Frontier
from attestation.policy import Measurements
from attestation.receipt_claims import Outcome, ReceiptClaims
from attestation.receipts import ReceiptSalts, commitment, issue_receipt
from attestation.signing import receipt_key_bytes
from strongroom.client.session import wall_clock_ms
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings, Purpose
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.contents import join_text, request_content, response_content
from strongroom.protocol.envelopes import read_envelope
from strongroom.protocol.events import encode_events
from strongroom.protocol.keys import KeyList
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import (
    Alternative,
    ClassifyTask,
    DescribeTask,
    Description,
    Embeddings,
    EmbedTask,
    Event,
    Failure,
    Generation,
    GenerationEnd,
    InferTask,
    Outputs,
    Receipt,
    Request,
    Scores,
    Span,
    Tags,
    TagTask,
    Task,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.responses import ResponseSealer
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.protocol.tensors import Port, Tensor
from strongroom.protocol.ways import WayIn
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.pki import SimulatedPKI

IMAGE = {index: bytes([index + 1]) * 48 for index in range(3)}
ROLE = "arn:aws:iam::111122223333:role/parent"
PIECES = ["Paris", " is", " the", " capital", " 🗼", "."]
ROW, SCORES = (bytes.fromhex(row) for row in ("0000803f00000040", "0000403f0000803e"))  # 1 and 2, 0.75 and 0.25
KEY_POLICIES = {"models": b"m" * 48, "requests": b"r" * 48}
CATALOGUE_SHA384 = labelled_digest(CATALOGUE_LABEL, b"a catalogue")
MODELS, REQUESTS = (
    KeyEntry(id=f"{purpose}s", purpose=purpose, tenant="demo", arn=f"arn:aws:kms:eu-west-1:111122223333:key/{purpose}")
    for purpose in get_args(Purpose)
)
CONFIGURATION = DeploymentConfiguration(
    version=1, deployment="tests", description="", key=[MODELS, REQUESTS], kms=KMSSettings(runtime_role=ROLE)
)
DESCRIPTION = Description(
    "1.2",
    "infer",
    [Port("x", "float32", ["n", 4]), Port("flags", "bool", [None])],
    [Port("y", "float64", [])],
)
FAILURE = Failure("too-long", "Send a shorter prompt.")


@dataclass
class Clock:
    """Time that moves when a test says so, in milliseconds since the epoch."""

    now_ms: int = field(default_factory=wall_clock_ms)

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True)
class Sealed:
    """An answer in the parts that travel."""

    media_type: str
    head: bytes
    chunks: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        return self.head + b"".join(self.chunks)


class FakeKMS:
    """GenerateDataKey for sealers, Decrypt for enclaves, as far as a dictionary goes; `calls` are the former's."""

    def __init__(self) -> None:
        self.data_keys: dict[bytes, bytes] = {}
        self.calls: list[dict[str, Any]] = []

    def generate_data_key(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(arguments)
        wrapped, data_key = secrets.token_bytes(150), secrets.token_bytes(32)
        self.data_keys[wrapped] = data_key
        return {"KeyId": arguments["KeyId"], "Plaintext": data_key, "CiphertextBlob": wrapped}


class FakeEnclave:
    """One boot of an enclave: `opened` holds what it could open, in order."""

    def __init__(
        self,
        pki: SimulatedPKI,
        *,
        clock: Clock | None = None,
        suites: Sequence[Suite] = (Suite.XWING,),
        role: str = ROLE,
        image: dict[int, bytes] = IMAGE,
        kms_leg: KMSLeg = KMSLeg.CLASSICAL,
    ) -> None:
        self.nsm = SoftwareNSM(
            pki,
            image_pcrs=image,
            parent_role_arn=role,
            parent_instance_id="i-0123456789abcdef0",
            clock=clock or wall_clock_ms,
        )
        self.clock = clock or wall_clock_ms
        for index, digest in ((CATALOGUE_PCR, CATALOGUE_SHA384), (CONFIGURATION_PCR, b"configuration")):
            self.nsm.extend_pcr(index, digest)
            self.nsm.lock_pcr(index)
        self._openers = [RequestOpener(KEMKeyPair.from_seed(suite, secrets.token_bytes(32))) for suite in suites]
        configurations = sorted((opener.configuration for opener in self._openers), key=lambda each: each.suite)
        self.keys = KeyList(tuple(configurations), kms_leg, KEY_POLICIES).to_bytes()
        self.kms_leg = kms_leg
        self.receipt_key = ec.generate_private_key(ec.SECP256R1())
        self.log = Frontier()
        self.kms = FakeKMS()
        self.opened: list[tuple[SealedRequestHead, Request]] = []
        self.documents: dict[bytes, bytes] = {}
        self.refresh()

    def policy(self) -> Measurements:
        """What a careful client pins."""
        indices = (0, 1, 2, PARENT_ROLE_PCR, CATALOGUE_PCR, CONFIGURATION_PCR)
        return Measurements({index: self.nsm.describe_pcr(index).value for index in indices})

    def document(self, nonce: bytes | None) -> bytes:
        user_data = statement_user_data(sha384(self.keys).digest(), self.point)
        return self.nsm.attest(user_data=user_data, nonce=nonce)

    def evidence(self, nonce: bytes | None) -> bytes:
        return Evidence(self.document(nonce), self.keys, self.point).to_bytes()

    def evidence_of(self, digest: bytes) -> bytes:
        """The cached document of that digest, as the gateway serves it."""
        return Evidence(self.documents[digest], self.keys, self.point).to_bytes()

    def refresh(self) -> None:
        """Make the cached document anew."""
        document = self.document(None)
        self.cached = AttestationDocument.from_bytes(document)
        self.documents[self.cached.payload_digest] = document

    @property
    def point(self) -> bytes:
        return receipt_key_bytes(self.receipt_key)

    def holds(self, message: bytes) -> bool:
        head, _ = SealedRequestHead.read(message)
        return head.suite is WayIn.KMS_ENVELOPE or any(
            opener.configuration.key_id == head.key_id for opener in self._openers
        )

    def open(self, message: bytes) -> Request:
        head, _ = SealedRequestHead.read(message)
        if head.suite is WayIn.KMS_ENVELOPE:
            envelope = read_envelope(message)
            request = envelope.open(self.kms.data_keys[envelope.wrapped], REQUESTS.arn, REQUESTS.fixed_context)
            self.opened.append((head, request))
            return request
        opener = next(opener for opener in self._openers if opener.configuration.key_id == head.key_id)
        self.opened.append(opener.open(message))
        return self.opened[-1][1]

    def answer(self, message: bytes, events: Sequence[Event] | None = None, **claims: Any) -> Sealed:
        """The sealed answer; `claims` are lies in its receipt."""
        request = self.open(message)
        content = events_for(request.task) if events is None else list(events)
        media_type = MEDIA_SEALED_STREAM if request.stream else MEDIA_SEALED_RESPONSE
        sealer = ResponseSealer(request.secret, message, media_type, self.cached.payload_digest)
        bodies = [[event] for event in content] if request.stream else [join_text(content)]
        receipt = self.receipt(message, request, sealer.salt, content, len(bodies), **claims)
        bodies[-1] = [*bodies[-1], Receipt(receipt)]
        return self.seal(sealer, media_type, bodies)

    def receipt(
        self, message: bytes, request: Request, salt: bytes, content: Sequence[Event], chunks: int, **claims: Any
    ) -> bytes:
        salts = ReceiptSalts.derive(request.secret, salt)
        sound = self.claims(message, salts, request.task, content, chunks)
        return self.sign(replace(sound, **claims), salts)

    def seal(self, sealer: ResponseSealer, media_type: str, bodies: Sequence[Sequence[Event]]) -> Sealed:
        last = len(bodies) - 1
        chunks = tuple(sealer.seal(encode_events(body), last=at == last) for at, body in enumerate(bodies))
        return Sealed(media_type, sealer.head, chunks)

    def sign(self, claims: ReceiptClaims, salts: ReceiptSalts) -> bytes:
        issued = issue_receipt(claims, self.receipt_key, salts.leaf)
        self.log.append(issued.leaf)
        return issued.receipt

    def claims(
        self, message: bytes, salts: ReceiptSalts, task: Task, events: Sequence[Event], chunks: int
    ) -> ReceiptClaims:
        head, _ = SealedRequestHead.read(message)
        return ReceiptClaims(
            request_id=head.request_id,
            time_ms=self.clock(),
            duration_ms=3,
            model=head.model,
            model_version="1",
            manifest_sha384=sha384(b"a manifest").digest(),
            catalogue_sha384=CATALOGUE_SHA384,
            document_sha384=self.cached.payload_digest,
            keys_sha384=sha384(self.keys).digest(),
            receipt_key=self.point,
            key_policies={"models": KEY_POLICIES["models"]},
            kms_leg=self.kms_leg,
            request_commitment=commitment(salts.request, request_content(task)),
            response_commitment=commitment(salts.response, response_content(events)),
            boot_id=boot_id(self.cached.module_id, self.point),
            leaf_index=self.log.size,
            root_before=self.log.root(),
            outcome=Outcome.FAILED if isinstance(events[-1], Failure) else Outcome.COMPLETE,
            generated_chunks=chunks,
            sent_chunks=chunks,
        )


def events_for(task: Task) -> list[Event]:
    """A well-formed answer; a tensor model gives its inputs back."""
    if isinstance(task, Generation):
        deltas = [TextDelta(piece, logprobs_of(piece, task.logprobs)) for piece in PIECES]
        return [*deltas, GenerationEnd("stop", 7, len(PIECES))]
    if isinstance(task, EmbedTask):
        return [Embeddings(Tensor("float32", [len(task.texts), 2], ROW * len(task.texts)), 3 * len(task.texts))]
    if isinstance(task, ClassifyTask):
        return [Scores(["good", "bad"], Tensor("float32", [len(task.texts), 2], SCORES * len(task.texts)))]
    if isinstance(task, TagTask):
        return [Tags([[Span(0, 1, "first", 0.5)] if text else [] for text in task.texts])]
    if isinstance(task, DescribeTask):
        return [DESCRIPTION]
    assert isinstance(task, InferTask)
    return [Outputs(task.tensors)]


def logprobs_of(piece: str, alternatives: int | None) -> list[TokenLogprob] | None:
    """Those of a piece that is one token."""
    if alternatives is None:
        return None
    return [TokenLogprob(piece.encode(), -0.5, [Alternative(b"\xf0", -1.0 - at) for at in range(alternatives)])]
