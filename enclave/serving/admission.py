"""Admitting a sealed request: which way in, is it open, is it in time, was it here before. What is refused is fixed."""

from collections import defaultdict
from dataclasses import dataclass, field

from enclave.clock import Clock
from enclave.engine.engine import Engine
from enclave.engine.places import Place
from enclave.keys import BootKeys
from enclave.serving.documents import CachedDocument, Documents
from enclave.serving.envelopes import EnvelopeKeys, UnlockedEnvelope
from enclave.serving.refused import Refused
from enclave.serving.replay import ReplayCache, ReplayCacheFull, Replayed
from strongroom.protocol.configuration import Limits, Windows
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import Request
from strongroom.protocol.problems import Problem
from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.ways import WayIn


@dataclass(frozen=True)
class Admitted:
    """A request inside the enclave: its clear head, its plaintext, and its bytes for the transcript."""

    head: SealedRequestHead
    request: Request
    message: bytes = field(repr=False)
    document: CachedDocument
    """The document that the answer names."""
    at_ms: int
    """When it was admitted; never before that document."""
    place: Place
    """Kept for its run, since it used up an id."""
    key_entry: str | None = None
    """The key entry that opened it; None under HPKE."""

    @property
    def media_type(self) -> str:
        """The media type of the answer, bound by the transcript."""
        return MEDIA_SEALED_STREAM if self.request.stream else MEDIA_SEALED_RESPONSE

    @property
    def expired(self) -> bool:
        """Past the `not_after_ms` that its sealer set: nothing is run."""
        return self.request.rest is not None and self.at_ms > self.request.rest.not_after_ms


class Admission:
    """One per boot. An id is remembered only after its request opened (R10): nobody fills a cache with forgeries."""

    def __init__(
        self,
        keys: BootKeys,
        envelopes: EnvelopeKeys,
        documents: Documents,
        clock: Clock,
        engine: Engine,
        *,
        limits: Limits,
        windows: Windows,
    ) -> None:
        """`engine` says whether a model can take one more task, and keeps the place for it."""
        self._keys, self._envelopes, self._documents, self._clock = keys, envelopes, documents, clock
        self._engine, self._window_ms = engine, windows.request_s * 1000
        self._live_ids = ReplayCache(limits.replay_entries)
        # One for each key entry: whoever seals under another cannot use up this one's ids, nor its room.
        self._single_uses = defaultdict[str, ReplayCache](lambda: ReplayCache(limits.replay_entries))

    async def open(self, message: bytes) -> Admitted:
        """Open a sealed request or raise Refused. A stale key is told by the clear key id, before anything is opened.

        All that waits comes first: from the instant of admission on, nothing else happens before the id is remembered
        and the place is kept. So no request uses up its id for the answer that the queue is full.
        """
        try:
            head, _ = SealedRequestHead.read(message)
        except ProtocolError:
            raise Refused(Problem.REJECTED) from None
        if head.suite is WayIn.KMS_ENVELOPE:
            unlocked = await self._envelopes.unlock(head.key_id, message)
            return self._open_envelope(unlocked, message, await self._document_with_room(head.model))
        opener = self._keys.openers.get(head.key_id)
        if opener is None:
            raise Refused(Problem.STALE_KEY)
        return self._open_live(opener, message, head.timestamp_ms, await self._document_with_room(head.model))

    async def _document_with_room(self, model: str) -> CachedDocument:
        """The document that the answer will name; Refused while nothing could be run."""
        document = await self._documents.current()
        if not self._engine.has_room(model):
            raise Refused(Problem.BUSY)
        return document

    def _open_live(
        self, opener: RequestOpener, message: bytes, timestamp_ms: int, document: CachedDocument
    ) -> Admitted:
        at_ms = self._clock.now_ms()
        too_old = timestamp_ms < self._clock.started_ms - self._window_ms
        if too_old or abs(at_ms - timestamp_ms) > self._window_ms:
            raise Refused(Problem.REJECTED)
        try:
            head, request = opener.open(message)
        except ProtocolError:
            raise Refused(Problem.REJECTED) from None
        _remember(self._live_ids, head.request_id, head.timestamp_ms + self._window_ms, at_ms)
        return Admitted(head, request, message, document, at_ms, self._engine.keep_place(head.model))

    def _open_envelope(self, unlocked: UnlockedEnvelope, message: bytes, document: CachedDocument) -> Admitted:
        at_ms = self._clock.now_ms()
        try:
            request = unlocked.open()
        except ProtocolError:
            raise Refused(Problem.REJECTED) from None
        head, rest, entry_id = unlocked.envelope.head, request.rest, unlocked.entry.id
        if rest is not None and rest.single_use and at_ms <= rest.not_after_ms:
            _remember(self._single_uses[entry_id], head.request_id, rest.not_after_ms, at_ms)
        return Admitted(head, request, message, document, at_ms, self._engine.keep_place(head.model), entry_id)


def _remember(cache: ReplayCache, name: bytes, until_ms: int, at_ms: int) -> None:
    try:
        cache.admit(name, until_ms, at_ms)
    except Replayed:
        raise Refused(Problem.REPLAYED) from None
    except ReplayCacheFull:
        raise Refused(Problem.BUSY) from None
