"""The client's core: attested keys, sealed exchanges. Every rule of trust is here or below; above is convenience."""

import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.policy import Policy
from strongroom.client.attested import AttestedKey
from strongroom.client.contact import Contact
from strongroom.client.deadlines import deadline
from strongroom.client.errors import InvalidArgument, PolicyRequired, RequestRefused, StaleKey
from strongroom.client.gateway import Gateway, Reply
from strongroom.client.kms_terms import KMSTerms
from strongroom.client.models import MAX_MODELS_BYTES, MEDIA_MODELS, ModelInfo, parse_models
from strongroom.client.proofs import Part, Proof
from strongroom.client.reading import AnswerReader, WholeAnswer
from strongroom.client.receipts import prove
from strongroom.client.sealing import SealedRequest
from strongroom.client.terms import Terms
from strongroom.client.witnesses import Witnesses
from strongroom.protocol.constants import PATH_MODELS
from strongroom.protocol.payloads import Event, Failure, Task
from strongroom.protocol.suites import Suite

MAX_AGE_S = 900
"""How long a verified document serves: far below the three hours of its certificate."""


def wall_clock_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class AttestedSession:
    """Sealed exchanges with the enclave behind `url`, which must satisfy `policy` under `anchor`.

    `timeout_s` bounds each wait: for an attested key, for the head of an answer, for the rest of a whole one, for every
    next chunk of a stream that opens.
    A verified document is used for `max_age_s` at most, then the enclave attests anew. `suites` are the acceptable
    ones, best first; `kms_terms` say what is demanded of the way to KMS. Raises PolicyRequired, InvalidArgument.
    """

    def __init__(
        self,
        url: str,
        *,
        policy: Policy | None,
        anchor: TrustAnchor | SimulatedTrustAnchor = AWS_NITRO_ROOT_G1,
        allow_simulated: bool = False,
        suites: Sequence[Suite] = (Suite.XWING,),
        kms_terms: KMSTerms | None = None,
        timeout_s: float = 120.0,
        max_age_s: int = MAX_AGE_S,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        if policy is None:
            raise PolicyRequired
        if not 0 < timeout_s < math.inf or max_age_s < 1:
            raise InvalidArgument("timeout_s, max_age_s: expected positive numbers of seconds")
        terms = Terms(policy, anchor, allow_simulated, tuple(suites), kms_terms or KMSTerms())
        self._gateway = Gateway(url)
        self._contact = Contact(self._gateway, terms, timeout_s=timeout_s, max_age_s=max_age_s, clock=clock)
        self._witnesses = Witnesses(self._gateway, terms, timeout_s=timeout_s, clock=clock)
        self._policy, self._timeout_s, self._clock = policy, timeout_s, clock

    async def attest(self) -> AttestedKey:
        """The key that the next request is sealed to.

        Raises AttestationRefused, GatewayProblem, Unreachable, TimedOut.
        """
        return await self._contact.current()

    async def models(self) -> tuple[ModelInfo, ...]:
        """What the gateway says it serves: untrusted. Raises GatewayProblem, Unreachable, TimedOut."""
        async with deadline(self._timeout_s):
            return parse_models(await self._gateway.get(PATH_MODELS, MEDIA_MODELS, MAX_MODELS_BYTES))

    async def ask(self, model: str, task: Task) -> tuple[list[Event], Proof]:
        """Seal, send, and wait for the whole answer: at most one text and the event that ends it; and its proof.

        Raises RequestRefused for the enclave's own refusal, SealBroken, AnswerTruncated, ReceiptRefused, StaleKey,
        GatewayProblem, InvalidArgument, and what `attest` raises.
        """
        key, sealed, reply = await self._send(model, task, stream=False)
        try:
            reader = AnswerReader(sealed)
            async with deadline(self._timeout_s):
                while data := await reply.read():
                    reader.feed(data)
            answer = reader.whole()
        finally:
            reply.close()
        return answer.events, await self._proof(key, sealed, answer)

    async def stream(self, model: str, task: Task) -> AsyncGenerator[Part, None]:
        """Seal, send, and yield the text of the answer as its chunks open; then what ends it, then its proof.

        An answer without its proof is not complete. Closing closes the connection. Raises what `ask` raises.
        """
        key, sealed, reply = await self._send(model, task, stream=True)
        try:
            reader = AnswerReader(sealed)
            while (events := await self._next_events(reader, reply)) is not None:
                for event in events:
                    yield event
            answer = reader.whole()
        finally:
            reply.close()
        proof = await self._proof(key, sealed, answer)
        for event in reader.held:
            yield event
        yield proof

    async def close(self) -> None:
        """Close every connection. The session cannot be used again."""
        await self._contact.close()
        await self._witnesses.close()
        await self._gateway.close()

    async def _send(self, model: str, task: Task, *, stream: bool) -> tuple[AttestedKey, SealedRequest, Reply]:
        """Send once, and after a stale key once more to a key attested anew; nothing else is ever resent (R20)."""
        key = await self._contact.current()
        try:
            return key, *await self._send_to(key, model, task, stream)
        except StaleKey:
            key = await self._contact.instead_of(key)
            return key, *await self._send_to(key, model, task, stream)

    async def _send_to(self, key: AttestedKey, model: str, task: Task, stream: bool) -> tuple[SealedRequest, Reply]:
        sealed = SealedRequest.seal(key, model, task, stream=stream, at_ms=self._clock())
        async with deadline(self._timeout_s):
            return sealed, await self._gateway.ask(sealed.message, sealed.media_type)

    async def _next_events(self, reader: AnswerReader, reply: Reply) -> list[Event] | None:
        """What the next chunks bring, or None at the end. Bytes that complete no chunk do not extend the deadline."""
        async with deadline(self._timeout_s):
            while data := await reply.read():
                if (events := reader.feed(data)) is not None:
                    return events
        return None

    async def _proof(self, key: AttestedKey, sealed: SealedRequest, answer: WholeAnswer) -> Proof:
        """The proof of an answer, of the enclave's own refusal too: then it is in the RequestRefused."""
        made_by = await self._witnesses.named(answer.head.document_digest, key)
        proof = prove(sealed, answer, made_by, self._policy)
        if isinstance(answer.end, Failure):
            raise RequestRefused(answer.end, proof)
        return proof
