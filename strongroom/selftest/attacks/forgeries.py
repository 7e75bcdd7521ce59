"""Answers that no enclave gave: plain ones, redirects, problems."""

import json

from strongroom.protocol.constants import (
    DOCUMENT_DIGEST_BYTES,
    MEDIA_PROBLEM,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    SECRET_BYTES,
)
from strongroom.protocol.events import encode_events
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import GenerationEnd, TextDelta
from strongroom.protocol.problems import Problem
from strongroom.protocol.responses import ResponseSealer
from strongroom.selftest.gateway import Script
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import BROKEN_ANSWER, Attack, Inconclusive, Trial

PLAIN_TEXT = "an answer in plaintext"
_PLAIN = "answer in plaintext, forge errors"
_EVENTS = encode_events([TextDelta(PLAIN_TEXT), GenerationEnd("stop", 1, 1)])
PLAINTEXTS = (
    Reply(200, "application/json", json.dumps({"text": PLAIN_TEXT}).encode()),
    Reply(200, MEDIA_SEALED_STREAM, json.dumps({"text": PLAIN_TEXT}).encode()),
    Reply(200, MEDIA_SEALED_RESPONSE, _EVENTS),
    Reply(200, MEDIA_SEALED_STREAM, _EVENTS),
    Reply(200, "text/event-stream", b"data: " + PLAIN_TEXT.encode() + b"\n\n"),
    Reply(200, MEDIA_SEALED_RESPONSE, b""),
    Reply(200, MEDIA_SEALED_STREAM, b""),
    Reply(200, "", b""),
    Reply(201, MEDIA_SEALED_STREAM, _EVENTS),
    Reply(204, "", b""),
)
_REDIRECTS = tuple(Reply(status, "", b"", (("Location", "sealed"),)) for status in (301, 302, 303, 307, 308))
"""To where the request went, and where it would be answered."""
_PROBLEMS = tuple(problem for problem in Problem if problem is not Problem.STALE_KEY)


class Telling(Script):
    """Tells one forged reply `times` times, then serves honestly."""

    def __init__(self, trial: Trial, reply: Reply, times: int = 1) -> None:
        super().__init__(trial.enclaves.home)
        self._reply, self._left = reply, times

    async def sealed(self, message: bytes) -> Reply:
        """The forgery, or what the enclave says."""
        self._left -= 1
        return self._reply if self._left >= 0 else await super().sealed(message)


async def strip_to_plaintext(trial: Trial) -> bool:
    """A success that is not sealed, or a redirect, which the client must not follow."""
    reply = trial.rng.choice(PLAINTEXTS + _REDIRECTS)
    codes = BROKEN_ANSWER if reply in PLAINTEXTS else {"gateway-problem"}
    script = Telling(trial, reply)
    return await trial.fooled(script, trial.either(), codes) or len(script.messages) != 1


class _Guessing(Script):
    """Seals an answer of its own under a secret that anybody could name."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.enclaves.home)
        self._rng = trial.rng

    async def sealed(self, message: bytes) -> Reply:
        head, size = SealedRequestHead.read(message)
        guesses = (
            bytes(SECRET_BYTES),
            message[size : size + SECRET_BYTES],
            head.key_id,
            self._rng.randbytes(SECRET_BYTES),
        )
        sealer = ResponseSealer(self._rng.choice(guesses), message, MEDIA_SEALED_STREAM, bytes(DOCUMENT_DIGEST_BYTES))
        return Reply(200, MEDIA_SEALED_STREAM, sealer.head + sealer.seal(_EVENTS, last=True))


async def forge_sealed_answer(trial: Trial) -> bool:
    """A sealed answer by all the rules, but for the secret inside the request."""
    return await trial.fooled(_Guessing(trial), trial.chat(), {"seal-broken"})


async def forge_problem(trial: Trial) -> bool:
    """A refusal of the enclave that it did not utter: the client gives up, and sends nothing again."""
    problem = trial.rng.choice(_PROBLEMS)
    script = Telling(trial, Reply.problem(problem))
    return await trial.fooled(script, trial.either(), {problem.code}) or len(script.messages) != 1


async def forge_stale_key(trial: Trial) -> bool:
    """422 once, twice or for ever: the client sends anew once at most, with another id, secret and encapsulated key."""
    known, times = trial.either(), trial.rng.randint(1, 3)
    script = Telling(trial, Reply.problem(Problem.STALE_KEY), times)
    if times == 1:
        await trial.honest(script, known)
    elif await trial.fooled(script, known, {"stale-key"}):
        return True
    if len(script.messages) < 2:
        raise Inconclusive("expected a second request, got none")
    return len(script.messages) > 2 or _alike(*script.messages)


async def forge_stale_key_unlike(trial: Trial) -> bool:
    """422 that is none: another type, status, media type or body. The client sends nothing again."""
    body, status = Problem.STALE_KEY.to_bytes(), int(Problem.STALE_KEY.status)
    forms = (
        Reply(status, "text/html", body),
        Reply(status, MEDIA_PROBLEM, body[:-1]),
        Reply(status, MEDIA_PROBLEM, Problem.BUSY.to_bytes()),
        Reply(503, MEDIA_PROBLEM, body),
        Reply(302, MEDIA_PROBLEM, body, (("Location", "/"),)),
    )
    script = Telling(trial, trial.rng.choice(forms))
    return await trial.fooled(script, trial.either(), {"gateway-problem"}) or len(script.messages) != 1


def _alike(one: bytes, two: bytes) -> bool:
    """Whether two requests share their id or a part of what is sealed."""
    (head, size), (other, other_size) = SealedRequestHead.read(one), SealedRequestHead.read(two)
    return head.request_id == other.request_id or one[size : size + 32] == two[other_size : other_size + 32]


ATTACKS = (
    Attack("strip-to-plaintext", _PLAIN, strip_to_plaintext, weight=2, fools_control=True),
    Attack("forge-sealed-answer", "read or change a request or an answer", forge_sealed_answer),
    Attack("forge-problem", _PLAIN, forge_problem),
    Attack("forge-422", _PLAIN, forge_stale_key, weight=2),
    Attack("forge-422-unlike", _PLAIN, forge_stale_key_unlike),
)
