"""Sealing any plaintext, sound or not, by each way in."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Protocol

from strongroom.protocol import canonical
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.constants import LABEL_REQUEST
from strongroom.protocol.envelopes import _entry, _schedule, entry_id
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import ChatTask, EmbedTask, InferTask, Message, Request, Rest, Task
from strongroom.protocol.request_bodies import bound_context
from strongroom.protocol.suites import PublicKey, load_public_key
from strongroom.protocol.tensors import Tensor
from strongroom.protocol.ways import WayIn

CANARY = b"CANARY-5d1f"
_MODEL = "tiny-tensor"
_TEXT = CANARY.decode()
_DAY_MS = 86_400_000
TASKS: tuple[Task, ...] = (
    InferTask({"x": Tensor("float32", [1, 4], CANARY + bytes(16 - len(CANARY)))}),
    InferTask({_TEXT: Tensor("float32", [1, 4], bytes(16))}),
    ChatTask([Message("user", _TEXT), Message("system", _TEXT * 9)], max_tokens=4, temperature=0.5, seed=7),
    EmbedTask([_TEXT, _TEXT * 3]),
)


class Sealer(Protocol):
    """One way in, to one key."""

    def seal(self, plaintext: bytes, at_ms: int) -> bytes:
        """A sealed request with that plaintext, under a fresh id."""

    def bodies(self) -> list[bytes]:
        """Sound bodies for it, each task whole and streamed."""


@dataclass(frozen=True)
class LiveSealer:
    """As `seal_request` does, without its care for what is inside."""

    configuration: KeyConfiguration
    key: PublicKey = field(repr=False)

    @classmethod
    def to(cls, configuration: KeyConfiguration) -> "LiveSealer":
        """The key is loaded once."""
        return cls(configuration, load_public_key(configuration.suite, configuration.public_key))

    def seal(self, plaintext: bytes, at_ms: int) -> bytes:
        """See Sealer."""
        suite = self.configuration.suite
        head = _head(suite.way_in, self.configuration.key_id, at_ms)
        info = LABEL_REQUEST + bound_context(head, self.configuration.to_bytes())
        return head + suite.hpke.encrypt(plaintext, self.key, info=info)

    def bodies(self) -> list[bytes]:
        """See Sealer."""
        return _bodies(None)


@dataclass(frozen=True)
class EnvelopeSealer:
    """As `seal_envelope` does, without its care for what is inside."""

    entry: KeyEntry
    data_key: bytes = field(repr=False)
    wrapped: bytes

    def seal(self, plaintext: bytes, at_ms: int) -> bytes:
        """See Sealer."""
        arn, context = self.entry.arn, self.entry.fixed_context
        head = _head(WayIn.KMS_ENVELOPE, entry_id(arn, context), at_ms)
        bound, salt = bound_context(head, _entry(arn, context), self.wrapped), secrets.token_bytes(32)
        aead, nonce = _schedule(self.data_key, salt, bound)
        clear = head + salt + len(self.wrapped).to_bytes(2, "big") + self.wrapped
        return clear + aead.encrypt(nonce, plaintext, bound)

    def bodies(self) -> list[bytes]:
        """See Sealer."""
        return _bodies(Rest(time.time_ns() // 1_000_000 + _DAY_MS, single_use=True))


def _head(way_in: WayIn, key_id: bytes, at_ms: int) -> bytes:
    return SealedRequestHead(way_in, key_id, secrets.token_bytes(16), at_ms, _MODEL).to_bytes()


def _bodies(rest: Rest | None) -> list[bytes]:
    requests = [Request(secrets.token_bytes(32), stream, task, rest) for task in TASKS for stream in (False, True)]
    return [canonical.encode(request) for request in requests]
