"""An enclave for tests: real keys, real sealing, real simulated documents; its answers are made up."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from attestation.bindings import client_user_data
from attestation.measurements import CATALOGUE_PCR, CONFIGURATION_PCR, PARENT_ROLE_PCR
from attestation.policy import Measurements
from strongroom.client.session import wall_clock_ms
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.events import encode_events
from strongroom.protocol.keys import KeyList
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import (
    ChatEnd,
    ChatTask,
    Embeddings,
    EmbedTask,
    Event,
    Failure,
    Outputs,
    Request,
    Task,
    TextDelta,
)
from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.responses import ResponseSealer
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.protocol.tensors import Tensor
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.pki import SimulatedPKI

IMAGE = {index: bytes([index + 1]) * 48 for index in range(3)}
ROLE = "arn:aws:iam::111122223333:role/parent"
PIECES = ["Paris", " is", " the", " capital", " 🗼", "."]
KEY_POLICIES = {"models": b"m" * 48, "requests": b"r" * 48}
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
        for index in (CATALOGUE_PCR, CONFIGURATION_PCR):
            self.nsm.extend_pcr(index, bytes([index]))
            self.nsm.lock_pcr(index)
        self._openers = [RequestOpener(KEMKeyPair.from_seed(suite, secrets.token_bytes(32))) for suite in suites]
        configurations = sorted((opener.configuration for opener in self._openers), key=lambda each: each.suite)
        self.keys = KeyList(tuple(configurations), kms_leg, KEY_POLICIES).to_bytes()
        self.opened: list[tuple[SealedRequestHead, Request]] = []

    def policy(self) -> Measurements:
        """What a careful client pins."""
        indices = (0, 1, 2, PARENT_ROLE_PCR, CATALOGUE_PCR, CONFIGURATION_PCR)
        return Measurements({index: self.nsm.describe_pcr(index).value for index in indices})

    def document(self, nonce: bytes | None) -> bytes:
        return self.nsm.attest(user_data=client_user_data(self.keys), nonce=nonce)

    def holds(self, message: bytes) -> bool:
        head, _ = SealedRequestHead.read(message)
        return any(opener.configuration.key_id == head.key_id for opener in self._openers)

    def open(self, message: bytes) -> Request:
        head, _ = SealedRequestHead.read(message)
        opener = next(opener for opener in self._openers if opener.configuration.key_id == head.key_id)
        self.opened.append(opener.open(message))
        return self.opened[-1][1]

    def answer(self, message: bytes, events: Sequence[Event] | None = None) -> Sealed:
        request = self.open(message)
        answer = events_for(request.task) if events is None else list(events)
        media_type = MEDIA_SEALED_STREAM if request.stream else MEDIA_SEALED_RESPONSE
        sealer = ResponseSealer(request.secret, message, media_type)
        bodies = [[event] for event in answer] if request.stream else [answer]
        last = len(bodies) - 1
        chunks = tuple(sealer.seal(encode_events(body), last=at == last) for at, body in enumerate(bodies))
        return Sealed(media_type, sealer.head, chunks)


def events_for(task: Task) -> list[Event]:
    """A well-formed answer; a tensor model gives its inputs back."""
    if isinstance(task, ChatTask):
        return [*(TextDelta(piece) for piece in PIECES), ChatEnd("stop", 7, len(PIECES))]
    if isinstance(task, EmbedTask):
        data = b"".join(bytes.fromhex("0000803f") + bytes([0, 0, 0, 0x40]) for _ in task.texts)
        return [Embeddings(Tensor("float32", [len(task.texts), 2], data))]
    return [Outputs(task.tensors)]
