"""Submitting sealed requests for somebody else: no keys, no policy, nothing judged but form."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from strongroom.client.deadlines import deadline
from strongroom.client.errors import GatewayProblem, InvalidArgument, SealBroken, StrongroomError, TimedOut, Unreachable
from strongroom.client.gateway import Gateway
from strongroom.client.kept_answers import (
    MAX_RESPONSE_BYTES,
    KeptAnswer,
    answering_document,
    check_evidence_form,
)
from strongroom.client.sealing import opening
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE
from strongroom.protocol.envelopes import read_envelope
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.problems import Problem

T = TypeVar("T")
Transient = Callable[[StrongroomError], bool]

_WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0)


class Submitter:
    """A gateway that sealed requests are handed to; use it in one event loop.

    `waits_s` are the pauses before it is asked again while it is busy: nothing was processed then. Raises
    InvalidArgument.
    """

    def __init__(self, url: str, *, timeout_s: float = 120.0, waits_s: Sequence[float] = _WAITS_S) -> None:
        if not 0 < timeout_s < math.inf:
            raise InvalidArgument("timeout_s: expected a positive number of seconds")
        self._gateway = Gateway(url)
        self._timeout_s, self._waits_s = timeout_s, waits_s

    async def submit(self, sealed: bytes) -> bytes:
        """The answer to one KMS envelope, sealed as it came, with the evidence of whoever made it, in one file.

        Raises InvalidArgument, GatewayProblem, StaleKey, SealBroken, AnswerTruncated, Unreachable, TimedOut.
        """
        return await self.with_evidence(sealed, await self.response(sealed))

    async def response(self, sealed: bytes) -> bytes:
        """The first half of `submit`: the answer alone. To a single-use request it comes once. Raises as `submit`."""
        asked = _head(sealed)
        response = await self._patiently(lambda: self._response(sealed), _is_busy)
        with opening():
            answering_document(response, asked)
        return response

    async def with_evidence(self, sealed: bytes, response: bytes) -> bytes:
        """The second half, which can be done again: evidence is asked for, whatever goes wrong. Raises as `submit`."""
        asked = _head(sealed)
        with opening():
            digest = answering_document(response, asked)
        evidence = await self._patiently(lambda: self._evidence(digest), _is_lost)
        return KeptAnswer(MEDIA_SEALED_RESPONSE, response, evidence).to_bytes()

    async def close(self) -> None:
        """Close every connection."""
        await self._gateway.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _response(self, sealed: bytes) -> bytes:
        async with deadline(self._timeout_s):
            reply = await self._gateway.ask(sealed, MEDIA_SEALED_RESPONSE)
            try:
                return await reply.read_whole(MAX_RESPONSE_BYTES)
            finally:
                reply.close()

    async def _evidence(self, digest: bytes) -> bytes:
        async with deadline(self._timeout_s):
            evidence = await self._gateway.evidence(digest)
        with opening():
            check_evidence_form(evidence, digest)
        return evidence

    async def _patiently(self, work: Callable[[], Coroutine[Any, Any, T]], is_transient: Transient) -> T:
        for wait_s in self._waits_s:
            try:
                return await work()
            except StrongroomError as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(wait_s)
        return await work()


def _head(sealed: bytes) -> SealedRequestHead:
    try:
        return read_envelope(sealed).head
    except ProtocolError as error:
        raise InvalidArgument(str(error)) from None


def _is_busy(error: StrongroomError) -> bool:
    return isinstance(error, GatewayProblem) and error.problem in (Problem.BUSY, Problem.NOT_READY)


def _is_lost(error: StrongroomError) -> bool:
    return isinstance(error, GatewayProblem | Unreachable | TimedOut | SealBroken)
