"""What attacks on KMS envelopes are made of: envelopes, their tickets, and the files that their answers come in."""

import time
from collections.abc import Collection

from strongroom.client import StrongroomError
from strongroom.client.envelopes import EnvelopeSealer
from strongroom.client.kept_answers import KeptAnswer
from strongroom.client.tickets import Ticket
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, PATH_EVIDENCE
from strongroom.protocol.envelopes import EnvelopeRequest
from strongroom.protocol.messages import SealedResponseHead
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.questions import Known
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import Inconclusive, Trial, check_code

REST_MS = 86_400_000
"""How long an envelope may rest."""


def now_ms() -> int:
    """Of this machine's clock."""
    return time.time_ns() // 1_000_000


def seal(trial: Trial, known: Known, sealer: EnvelopeSealer | None = None, at_ms: int | None = None) -> Ticket:
    """An envelope for one use, to rest for a day, under one of the data keys of the deployment that is attacked."""
    at_ms, chosen = at_ms or now_ms(), sealer or trial.rng.choice(trial.world.sealers)
    return chosen.seal(known.question.task, model=known.question.model, not_after_ms=at_ms + REST_MS, at_ms=at_ms)


def message_of(envelope: EnvelopeRequest) -> bytes:
    """The bytes of an envelope of these parts."""
    length = len(envelope.wrapped).to_bytes(2, "big")
    return b"".join((envelope.head.to_bytes(), envelope.salt, length, envelope.wrapped, envelope.ciphertext))


async def answer_of(host: EnclaveHost, ticket: Ticket) -> Reply:
    """What an enclave answers to an envelope. Raises Inconclusive unless it answers."""
    reply = await host.post(ticket.sealed)
    if reply.status != 200:
        raise Inconclusive(f"expected an answer to an envelope, got {reply.status}")
    return reply


async def is_answered(trial: Trial, host: EnclaveHost, ticket: Ticket, known: Known) -> bool:
    """Whether the envelope as it was sealed is answered: what was refused before it was the alteration."""
    return ticket.open(await kept(host, await answer_of(host, ticket)), trial.world.terms) == known.honest


async def kept(host: EnclaveHost, reply: Reply) -> bytes:
    """The file that `submit` writes: the answer, and the evidence that it names."""
    digest = SealedResponseHead.from_bytes(reply.body[: SealedResponseHead.SIZE_BYTES]).document_digest
    return file_of(reply.body, (await host.get(f"{PATH_EVIDENCE}/{digest.hex()}")).body)


def file_of(response: bytes, evidence: bytes) -> bytes:
    """A file of these parts."""
    return KeptAnswer(MEDIA_SEALED_RESPONSE, response, evidence).to_bytes()


def opens(trial: Trial, ticket: Ticket, answer: bytes, codes: Collection[str]) -> bool:
    """Whether the ticket's owner accepts that file. Raises Inconclusive for a refusal of other codes."""
    try:
        ticket.open(answer, trial.world.terms)
    except StrongroomError as error:
        check_code(error, codes)
        return False
    return True
