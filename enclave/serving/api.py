"""The client-facing ASGI application: evidence, models, sealed inference, the audit log, metrics; it opens at READY."""

import json
from contextlib import aclosing

from enclave.asgi import Answer, Disconnected, Receive, Scope, Send, read_body, respond, respond_problem, start
from enclave.boot.sequence import BootSequence
from enclave.log import EnclaveLog, LogEvent
from enclave.nsm.interface import NSMError
from enclave.serving.queries import digest_of, first_leaf_of, nonce_of
from enclave.serving.refused import Refused
from enclave.serving.service import InferenceService
from enclave.serving.streaming import stream, whole
from strongroom.protocol.constants import (
    MEDIA_ATTESTATION,
    MEDIA_AUDIT,
    MEDIA_EVIDENCE,
    MEDIA_METRICS,
    MEDIA_SEALED_REQUEST,
    PATH_ATTESTATION,
    PATH_AUDIT,
    PATH_EVIDENCE,
    PATH_METRICS,
    PATH_MODELS,
    PATH_SEALED,
)
from strongroom.protocol.errors import TooLarge
from strongroom.protocol.problems import Problem

_EVIDENCE_OF = PATH_EVIDENCE + "/"


class APIApp:
    """ASGI application over the inference service."""

    def __init__(self, boot: BootSequence, service: InferenceService, log: EnclaveLog) -> None:
        self._boot, self._service, self._log = boot, service, log
        self._free = boot.configuration.limits.max_in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route by method and path; every refusal is one of the fixed problems, a mistake of ours included (R20)."""
        if scope["type"] != "http" or self._boot.ended:
            return
        answer = Answer(send)
        try:
            await self._route(scope, receive, answer)
        except Refused as refused:
            await self._refuse(answer, refused.problem, refused.problem.code)
        except NSMError:
            await self._refuse(answer, Problem.BUSY, "nsm-error")
        except Disconnected:
            return
        except Exception:
            if answer.begun:
                raise  # the server cuts the connection: an answer without its last chunk is none
            await self._refuse(answer, Problem.BUSY, "unforeseen")

    async def _refuse(self, send: Send, problem: Problem, code: str) -> None:
        self._log.write(LogEvent.REQUEST, code=code)
        await respond_problem(send, problem)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case "POST", path if path == PATH_SEALED:
                await self._sealed(scope, receive, send)
            case "GET", path:
                await respond(send, 200, *await self._get(path, scope["query_string"]))
            case _:
                raise Refused(Problem.REJECTED)

    async def _get(self, path: str, query: bytes) -> tuple[str, bytes]:
        """Media type and body."""
        if path == PATH_ATTESTATION:
            return MEDIA_ATTESTATION, await self._document(query)
        if path == PATH_EVIDENCE:
            return MEDIA_EVIDENCE, self._joined(await self._document(query))
        if path.startswith(_EVIDENCE_OF) and not query:
            kept = self._service.documents.find(digest_of(path.removeprefix(_EVIDENCE_OF)))
            if kept is not None:
                return MEDIA_EVIDENCE, self._joined(kept.data)
        if path == PATH_AUDIT:
            page = await self._service.audit_page(first_leaf_of(query))
            return MEDIA_AUDIT, page.to_bytes()
        if path == PATH_METRICS:
            return MEDIA_METRICS, self._service.metrics.to_bytes()
        if path == PATH_MODELS:
            return "application/json", _models(self._boot)
        raise Refused(Problem.REJECTED)

    async def _document(self, query: bytes) -> bytes:
        nonce, documents = nonce_of(query), self._service.documents
        document = (await documents.current()).data if nonce is None else await documents.live(nonce)
        self._log.write(LogEvent.DOCUMENT)
        return document

    def _joined(self, document: bytes) -> bytes:
        return self._boot.client_evidence.joined(document)

    async def _sealed(self, scope: Scope, receive: Receive, send: Send) -> None:
        if dict(scope["headers"]).get(b"content-type") != MEDIA_SEALED_REQUEST.encode():
            raise Refused(Problem.REJECTED)
        message = await self._read(receive)
        if self._free == 0:
            raise Refused(Problem.BUSY)
        self._free -= 1  # only now: callers that send slowly must not keep others out
        try:
            admitted = await self._service.open(message)
            async with aclosing(self._service.answer(admitted)) as pieces:
                head = await anext(pieces)  # begun: whatever happens from here on has its leaf in the log
                if admitted.request.stream:
                    await start(send, 200, admitted.media_type)
                    await send({"type": "http.response.body", "body": head, "more_body": True})
                    await stream(pieces, receive, send)
                elif (rest := await whole(pieces, receive)) is not None:
                    await respond(send, 200, admitted.media_type, head + rest)
            self._log.write(LogEvent.REQUEST, status=200)
        finally:
            self._free += 1

    async def _read(self, receive: Receive) -> bytes:
        try:
            return await read_body(receive, self._boot.configuration.limits.max_body_bytes)
        except TooLarge:
            raise Refused(Problem.TOO_LARGE) from None
        except TimeoutError:
            raise Refused(Problem.REJECTED) from None


def _models(boot: BootSequence) -> bytes:
    """The catalogue, and whether each model is loaded now: the host knows, since it sends the weights."""
    fields, loaded = ("id", "version", "task", "manifest_sha384"), boot.standing().loaded
    models = [
        {name: getattr(entry, name) for name in fields} | {"loaded": entry.id in loaded}
        for entry in boot.catalogue.model
    ]
    return json.dumps({"models": models}).encode()
