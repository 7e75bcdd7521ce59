"""The positive control: a client without the checks that matter. What does not fool it proves nothing.

It takes any document and any key list for the enclave's, every 2xx for an answer, and looks neither for the last flag
nor for a receipt. The attacks are the very ones that the real client meets.
"""

import secrets
import time
from contextlib import aclosing, suppress
from random import Random

import aiohttp

from attestation.evidence import Evidence
from attestation.proof_errors import ProofRejected
from strongroom.protocol.constants import (
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_STREAM,
    PATH_EVIDENCE,
    PATH_SEALED,
    REQUEST_ID_BYTES,
    SECRET_BYTES,
)
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.events import decode_events
from strongroom.protocol.keys import KeyList
from strongroom.protocol.payloads import Event, Request
from strongroom.protocol.requests import seal_request
from strongroom.protocol.responses import ResponseOpener
from strongroom.selftest.questions import Known, Questions
from strongroom.selftest.trial import Attack, Desk, Inconclusive, Seat, Trial
from strongroom.selftest.world import World

_TRIES = 20
"""Some attacks have forms that meet a check which it has."""


class CredulousSeat(Seat):
    """The seat of the control client."""

    async def ask(self, known: Known) -> object:
        """Whatever came, of whomever. Raises Inconclusive when it could make nothing of it."""
        try:
            return await _believe(self.lane.url, known)
        except (aiohttp.ClientError, ProtocolError, ProofRejected, ValueError) as error:
            raise Inconclusive(f"expected something to believe, got {error!r}") from error


class Control:
    """Tries attacks on the control client."""

    def __init__(self, world: World, questions: Questions) -> None:
        self._desk = Desk(world, questions, CredulousSeat)

    async def fooled(self, attacks: tuple[Attack, ...]) -> dict[str, bool]:
        """Name of each attack that must fool it → whether it did."""
        async with aclosing(self._desk):
            return {attack.name: await self._is_fooled(attack) for attack in attacks if attack.fools_control}

    async def _is_fooled(self, attack: Attack) -> bool:
        for number in range(_TRIES):
            rng = Random(f"control {attack.name} {number}")  # noqa: S311 - repeatable values, not secrets
            with suppress(Inconclusive):
                if await attack.run(Trial(self._desk, rng)):
                    return True
        return False


async def _believe(url: str, known: Known) -> list[Event] | bytes:
    async with aiohttp.ClientSession() as http:
        async with http.get(url + PATH_EVIDENCE, params={"nonce": secrets.token_hex(32)}) as answer:
            evidence = Evidence.from_bytes(await answer.read())
        [key, *_] = KeyList.from_bytes(evidence.key_list).configurations
        secret, id_ = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(REQUEST_ID_BYTES)
        at_ms, task = time.time_ns() // 1_000_000, known.question.task
        message = seal_request(
            Request(secret, True, task), key, request_id=id_, at_ms=at_ms, model=known.question.model
        )
        headers = {"Content-Type": MEDIA_SEALED_REQUEST, "Accept": MEDIA_SEALED_STREAM}
        async with http.post(url + PATH_SEALED, data=message, headers=headers) as answer:
            answer.raise_for_status()
            body = await answer.read()
            if answer.content_type != MEDIA_SEALED_STREAM:
                return body
            opened = ResponseOpener(secret, message, MEDIA_SEALED_STREAM).feed(body)
            return [event for chunk in opened for event in decode_events(chunk)]
