"""Lengths of 2^32 and more, wherever a length is read."""

import asyncio
from dataclasses import replace

from strongroom.protocol.configuration import Limits
from strongroom.protocol.constants import MEDIA_SEALED_REQUEST, PATH_SEALED
from strongroom.protocol.envelopes import entry_id
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.problems import Problem
from strongroom.protocol.ways import WayIn
from strongroom.selftest.attacks.tampering import Answer, Tampering
from strongroom.selftest.gateway import Script
from strongroom.selftest.questions import TENSOR_MODEL
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import BROKEN_ANSWER, REFUSED_EVIDENCE, Attack, Inconclusive, Trial, answered

_HUGE = (1 << 32, (1 << 32) - 1)
_FIELD = ((1 << 32) - 1).to_bytes(4, "big")
_PROMPTLY_S = 30
_THREAT = "slow or oversized requests"


async def of_a_chunk(trial: Trial) -> bool:
    """A chunk of the answer that claims 2^32 - 1 bytes."""

    def tell(reply: Reply) -> Reply:
        head, chunks = Answer.of(reply.body)
        at = trial.rng.randrange(len(chunks))
        chunks[at] = chunks[at][:1] + _FIELD + chunks[at][5:]
        return reply.of(Answer(head, chunks).to_bytes())

    return await trial.fooled(Tampering(trial.enclaves.home, answer=tell), trial.chat(), {"seal-broken"})


async def of_an_answer(trial: Trial) -> bool:
    """An answer that is announced with 2^32 bytes, and breaks off before its last chunk."""

    def tell(reply: Reply) -> Reply:
        head, chunks = Answer.of(reply.body)
        told = reply.of(Answer(head, chunks[:-1]).to_bytes())
        return replace(told, missing_bytes=trial.rng.choice(_HUGE) - len(told.body))

    codes = BROKEN_ANSWER | {"unreachable"}
    return await trial.fooled(Tampering(trial.enclaves.home, answer=tell), trial.chat(), codes)


async def in_evidence(trial: Trial) -> bool:
    """A field of the evidence that claims 2^32 - 1 bytes."""
    codes = REFUSED_EVIDENCE | {"gateway-problem", "unreachable"}
    return await trial.fooled_at_first_contact(_LongEvidence(trial), trial.tensor(), codes)


class _LongEvidence(Script):
    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.enclaves.home)
        self._rng = trial.rng

    async def live(self, query: str) -> Reply:
        reply = await super().live(query)
        if self._rng.random() < 0.3:
            return replace(reply, missing_bytes=(1 << 32) - len(reply.body))
        return reply.of(reply.body[:4] + _FIELD + reply.body[8:])


async def of_a_request(trial: Trial) -> bool:
    """A request to the enclave that is announced with 2^32 bytes: refused when as many came as it takes, and one."""
    reader, writer = await asyncio.open_unix_connection(trial.enclaves.home.socket("api"))
    try:
        head = f"POST {PATH_SEALED} HTTP/1.1\r\nHost: enclave\r\nContent-Type: {MEDIA_SEALED_REQUEST}\r\n"
        writer.write(f"{head}Content-Length: {trial.rng.choice(_HUGE)}\r\n\r\n".encode())
        writer.write(bytes(Limits().max_body_bytes + 1))
        async with asyncio.timeout(_PROMPTLY_S):
            status = int((await reader.readline()).split()[1])
    finally:
        writer.transport.abort()
    if status not in (200, Problem.TOO_LARGE.status):
        raise Inconclusive(f"expected 413, got {status}")
    return status == 200


async def of_a_wrapped_key(trial: Trial) -> bool:
    """An envelope whose wrapped key claims all that its field can say, and a model id that does."""
    entry = trial.enclaves.home.entry
    key_id = entry_id(entry.arn, entry.fixed_context)
    head = SealedRequestHead(WayIn.KMS_ENVELOPE, key_id, trial.rng.randbytes(16), 1, TENSOR_MODEL).to_bytes()
    wrapped = head + trial.rng.randbytes(32) + b"\xff\xff" + trial.rng.randbytes(1 << 16)
    model = head[:62] + b"\xff" + trial.rng.randbytes(1 << 10)
    return answered(await trial.enclaves.home.post(trial.rng.choice((wrapped, model))), Problem.REJECTED)


async def lengths(trial: Trial) -> bool:
    """One of the above."""
    return await trial.rng.choice((of_a_chunk, of_an_answer, in_evidence, of_a_request, of_a_wrapped_key))(trial)


ATTACKS = (Attack("lengths-of-2^32", _THREAT, lengths, weight=2),)
