"""The positive control: a client without the checks that matter. If nothing fools it, the attacks are none."""

import secrets
import time
from random import Random

import aiohttp

from attestation.evidence import Evidence
from strongroom.protocol.constants import (
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_STREAM,
    PATH_EVIDENCE,
    PATH_SEALED,
    REQUEST_ID_BYTES,
    SECRET_BYTES,
)
from strongroom.protocol.events import decode_events, encode_events
from strongroom.protocol.keys import KeyList
from strongroom.protocol.payloads import ChatEnd, Event, Request, TextDelta
from strongroom.protocol.requests import RequestOpener, seal_request
from strongroom.protocol.responses import ResponseOpener, ResponseSealer
from strongroom.protocol.suites import KEMKeyPair
from strongroom.selftest.attacks.evidence import with_keys_of_ours
from strongroom.selftest.attacks.forgeries import PLAIN_TEXT
from strongroom.selftest.attacks.tampering import Answer, Tampering
from strongroom.selftest.gateway import Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.questions import Known
from strongroom.selftest.replies import Reply
from strongroom.selftest.world import World

_FORGED = "an answer of the parent's own"


class CredulousClient:
    """Believes any document and any key list, takes every 2xx for an answer, ignores the last flag and receipts."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def ask(self, known: Known) -> str:
        """The text, of whomever."""
        async with aiohttp.ClientSession() as http:
            async with http.get(self._url + PATH_EVIDENCE, params={"nonce": secrets.token_hex(32)}) as answer:
                evidence = Evidence.from_bytes(await answer.read())
            [key, *_] = KeyList.from_bytes(evidence.key_list).configurations
            secret, id_ = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(REQUEST_ID_BYTES)
            request = Request(secret, True, known.question.task)
            at_ms = time.time_ns() // 1_000_000
            message = seal_request(request, key, request_id=id_, at_ms=at_ms, model=known.question.model)
            headers = {"Content-Type": MEDIA_SEALED_REQUEST, "Accept": MEDIA_SEALED_STREAM}
            async with http.post(self._url + PATH_SEALED, data=message, headers=headers) as answer:
                answer.raise_for_status()
                body = await answer.read()
                if answer.content_type != MEDIA_SEALED_STREAM:
                    return body.decode()
                return _text(ResponseOpener(secret, message, MEDIA_SEALED_STREAM), body)


class _OwnKeys(Script):
    """Gives a key of its own to the client, reads the prompt, answers itself."""

    def __init__(self, enclave: EnclaveHost) -> None:
        super().__init__(enclave)
        self._pair: KEMKeyPair

    async def live(self, query: str) -> Reply:
        reply = await super().live(query)
        evidence = Evidence.from_bytes(reply.body)
        key_list, self._pair = with_keys_of_ours(evidence.key_list)
        return reply.of(Evidence(evidence.document, key_list, evidence.receipt_key).to_bytes())

    async def sealed(self, message: bytes) -> Reply:
        _, request = RequestOpener(self._pair).open(message)
        sealer = ResponseSealer(request.secret, message, MEDIA_SEALED_STREAM, bytes(48))
        body = encode_events([TextDelta(_FORGED), ChatEnd("stop", 1, 1)])
        return Reply(200, MEDIA_SEALED_STREAM, sealer.head + sealer.seal(body, last=True))


class _Plain(Script):
    """Answers in the clear."""

    async def sealed(self, message: bytes) -> Reply:
        return Reply(200, "text/plain", PLAIN_TEXT.encode())


async def is_fooled(world: World, known: Known, rng: Random) -> bool:
    """Whether each of the three tricks fools the credulous client: foreign keys, plaintext, a cut answer."""
    home = world.enclaves.home

    def cut(reply: Reply) -> Reply:
        answer = Answer.of(reply.body)
        kept = rng.randrange(1, len(answer.chunks) - 1)  # the last text may be in the last chunk but one
        return reply.of(Answer(answer.head, answer.chunks[:kept]).to_bytes())

    answers = [await _asked(world, script, known) for script in (_OwnKeys(home), _Plain(home))]
    whole, part = [await _asked(world, script, known) for script in (Script(home), Tampering(home, answer=cut))]
    return answers == [_FORGED, PLAIN_TEXT] and part != whole and whole.startswith(part)


async def _asked(world: World, script: Script, known: Known) -> str:
    return await CredulousClient(world.gateway.lane(script).url).ask(known)


def _text(opener: ResponseOpener, body: bytes) -> str:
    events: list[Event] = [event for chunk in opener.feed(body) for event in decode_events(chunk)]
    return "".join(event.text for event in events if isinstance(event, TextDelta))
