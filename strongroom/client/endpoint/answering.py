"""Requests of the surfaces, answered over an attested session: the one way from HTTP to the enclave at this side."""

import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

from strongroom.client.endpoint.refusals import refused_by
from strongroom.client.endpoint.streaming import StreamedReply, naming
from strongroom.client.proofs import Part, Proof
from strongroom.client.session import AttestedSession
from strongroom.surfaces.calls import Call, Stamp, WholeCall
from strongroom.surfaces.http import HTTPRequest, Reply
from strongroom.surfaces.refusals import Refused, out_of_place
from strongroom.surfaces.routes import Asking, Attesting, Listing, refusal, route

_ID_BYTES = 16
KeepProof = Callable[[str, Proof], None]
"""Called with the id of each answer and its proof, before the answer is complete: an OSError of it fails the answer."""


class Endpoint:
    """Answers the requests of docs/surfaces.md; every other one is refused. Nothing leaves this side unsealed.

    `notice` is called with each refusal, also with those that end a stream; `clock` gives seconds since the epoch, for
    the time that an answer bears.
    """

    def __init__(
        self,
        session: AttestedSession,
        *,
        keep_proof: KeepProof | None = None,
        notice: Callable[[Refused], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session, self._keep_proof, self._notice, self._clock = session, keep_proof, notice, clock

    async def answer(self, request: HTTPRequest) -> Reply | StreamedReply:
        """The reply, a refusal in the shape of its surface included. The caller closes a streamed one."""
        try:
            return await self._answer(request)
        except Exception as error:
            return refusal(request.path, self._refused(error))

    async def _answer(self, request: HTTPRequest) -> Reply | StreamedReply:
        meant = route(request)
        if isinstance(meant, Listing):
            return meant.write(await self._session.models())
        if isinstance(meant, Asking):
            stamp = Stamp(secrets.token_hex(_ID_BYTES), int(self._clock()))
            return await self._ask(meant.translate(request, stamp))
        if isinstance(meant, Attesting):
            await self._session.attest()
        return meant.write()

    async def _ask(self, call: Call) -> Reply | StreamedReply:
        if isinstance(call, WholeCall):
            return await self._whole(call)
        parts = self._session.stream(call.model, call.task)
        # What is refused is refused before anything is sent: after that there is no status to say it with.
        first = await anext(parts)
        return StreamedReply(call, first, parts, self._keep, self._refused)

    async def _whole(self, call: WholeCall) -> Reply:
        events, proof = await self._session.ask(call.model, call.task)
        answer = call.write(events)
        self._keep(call.id, proof)
        return Reply(answer.status, {**answer.headers, **naming(call)}, answer.body)

    def _refused(self, error: Exception) -> Refused:
        refused = refused_by(error)
        if self._notice is not None:
            self._notice(refused)
        return refused

    def _keep(self, call_id: str, proof: Part) -> None:
        if not isinstance(proof, Proof):
            raise out_of_place()
        try:
            if self._keep_proof is not None:
                self._keep_proof(call_id, proof)
        except OSError:
            message = "expected to keep the answer's proof, could not: see where proofs are kept"
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "proof-not-kept", message) from None
