"""Answering one sealed request: admit, open, run, seal. What may be said outside the seal is fixed (review R20)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from enclave.boot.sequence import BootSequence
from enclave.engine.engine import Engine
from enclave.engine.errors import EngineError
from enclave.serving.replay import ReplayCache, ReplayCacheFull, Replayed
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.errors import Malformed, ProtocolError
from strongroom.protocol.events import encode_events
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.padding import BODY_BUCKET_BYTES
from strongroom.protocol.payloads import ChatTask, Event, Failure, Request, TextDelta
from strongroom.protocol.problems import Problem
from strongroom.protocol.responses import MAX_CHUNK_BODY_BYTES, ResponseSealer


class Refused(Exception):
    """A request is refused before its seal gives a context to answer in."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


@dataclass(frozen=True)
class Opened:
    """A request inside the enclave: its clear head, its plaintext, and its bytes for the transcript."""

    head: SealedRequestHead
    request: Request
    message: bytes

    @property
    def media_type(self) -> str:
        """The media type of the answer, bound by the transcript."""
        return MEDIA_SEALED_STREAM if self.request.stream else MEDIA_SEALED_RESPONSE


class InferenceService:
    """Opens, runs and seals. One instance per boot; exists only from READY on."""

    def __init__(self, boot: BootSequence, engine: Engine) -> None:
        self._identity, self._engine = boot.identity, engine
        self._limits = boot.configuration.limits
        self._window_ms = boot.configuration.windows.request_s * 1000
        self._replay = ReplayCache(self._limits.replay_entries, 2 * self._window_ms)

    def open(self, message: bytes) -> Opened:
        """Open a sealed request or raise Refused.

        A stale key is told by the clear key id alone, before anything is opened; an id enters the replay cache only
        after its request opened (R10), so that nobody can fill it with forgeries.
        """
        try:
            head, _ = SealedRequestHead.read(message)
        except ProtocolError:
            raise Refused(Problem.REJECTED) from None
        opener = self._identity.keys.openers.get(head.key_id)
        if opener is None:
            raise Refused(Problem.STALE_KEY)
        at_ms = self._identity.clock.now_ms()
        self._check_time(head.timestamp_ms, at_ms)
        try:
            head, request = opener.open(message)
        except ProtocolError:
            raise Refused(Problem.REJECTED) from None
        self._admit(head.request_id, at_ms)
        return Opened(head, request, message)

    async def answer(self, opened: Opened) -> AsyncGenerator[bytes, None]:
        """The sealed response, piece by piece: the head, then one chunk per event or one for all."""
        sealer = ResponseSealer(opened.request.secret, opened.message, opened.media_type)
        yield sealer.head
        async with aclosing(self._events(opened)) as events:
            if opened.request.stream:
                async for event, last in events:
                    yield sealer.seal(_encoded([event], opened), last=last)
            else:
                collected = _joined([event async for event, _ in events])
                yield sealer.seal(_encoded(collected, opened), last=True, smallest=BODY_BUCKET_BYTES)

    async def _events(self, opened: Opened) -> AsyncGenerator[tuple[Event, bool], None]:
        try:
            task = opened.request.task
            if isinstance(task, ChatTask) and task.max_tokens > self._limits.max_new_tokens:
                limit = self._limits.max_new_tokens
                yield Failure("too-long", f"Ask for at most {limit} new tokens.", opened.head.model), True
                return
            async with aclosing(self._engine.run(opened.head.model, task)) as events:
                async for event in events:
                    yield event, not isinstance(event, TextDelta)
        except Malformed:
            yield Failure("invalid-tensor", "A tensor's data is not as long as its dtype and shape say."), True
        except EngineError as error:
            yield Failure(error.code, str(error), opened.head.model), True
        except Exception:
            # Whatever went wrong, its text can hold content; and an answer without an end would look like an attack.
            yield Failure("internal", "The enclave could not answer; try again.", opened.head.model), True

    def _check_time(self, timestamp_ms: int, at_ms: int) -> None:
        too_old = timestamp_ms < self._identity.clock.started_ms - self._window_ms
        if too_old or abs(at_ms - timestamp_ms) > self._window_ms:
            raise Refused(Problem.REJECTED)

    def _admit(self, request_id: bytes, at_ms: int) -> None:
        try:
            self._replay.admit(request_id, at_ms)
        except Replayed:
            raise Refused(Problem.REPLAYED) from None
        except ReplayCacheFull:
            raise Refused(Problem.BUSY) from None


def _encoded(events: list[Event], opened: Opened) -> bytes:
    """The body of a chunk; a failure in place of what no client would take."""
    body = encode_events(events)
    if len(body) <= MAX_CHUNK_BODY_BYTES:
        return body
    limit = MAX_CHUNK_BODY_BYTES
    return encode_events([Failure("too-long", f"Ask for an answer of at most {limit} bytes.", opened.head.model)])


def _joined(events: list[Event]) -> list[Event]:
    """One text instead of many pieces."""
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    others: list[Event] = [event for event in events if not isinstance(event, TextDelta)]
    return [TextDelta(text), *others] if text else others
