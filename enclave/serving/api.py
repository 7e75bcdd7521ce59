"""The client-facing ASGI application: attestation, keys, models, sealed inference. Its socket opens at READY."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import parse_qsl

from enclave.asgi import Disconnected, Message, Receive, Scope, Send, read_body, respond, respond_problem, start
from enclave.boot.sequence import BootSequence
from enclave.log import EnclaveLog, LogEvent
from enclave.nsm.interface import NSMError
from enclave.serving.service import InferenceService, Refused
from strongroom.protocol.constants import (
    MEDIA_ATTESTATION,
    MEDIA_KEYS,
    MEDIA_SEALED_REQUEST,
    NONCE_BYTES_MAX,
    NONCE_BYTES_MIN,
    PATH_ATTESTATION,
    PATH_KEYS,
    PATH_MODELS,
    PATH_SEALED,
)
from strongroom.protocol.errors import TooLarge
from strongroom.protocol.problems import Problem


class APIApp:
    """ASGI application over the inference service."""

    def __init__(self, boot: BootSequence, service: InferenceService, log: EnclaveLog) -> None:
        self._boot, self._service, self._log = boot, service, log
        self._free = boot.configuration.limits.max_in_flight
        self._models = _models(boot)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route by method and path; every refusal is one of the fixed problems."""
        if scope["type"] != "http" or self._boot.ended:
            return
        try:
            await self._route(scope, receive, send)
        except Refused as refused:
            self._log.write(LogEvent.REQUEST, code=refused.problem.code)
            await respond_problem(send, refused.problem)
        except NSMError:
            self._log.write(LogEvent.REQUEST, code="nsm-error")
            await respond_problem(send, Problem.BUSY)
        except Disconnected:
            return

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case "GET", path if path == PATH_ATTESTATION:
                document = await self._document(_nonce(scope["query_string"]))
                await respond(send, 200, MEDIA_ATTESTATION, document)
            case "GET", path if path == PATH_KEYS:
                await respond(send, 200, MEDIA_KEYS, self._boot.client_evidence.key_list)
            case "GET", path if path == PATH_MODELS:
                await respond(send, 200, "application/json", self._models)
            case "POST", path if path == PATH_SEALED:
                await self._sealed(scope, receive, send)
            case _:
                raise Refused(Problem.REJECTED)

    async def _document(self, nonce: bytes | None) -> bytes:
        evidence = self._boot.client_evidence
        document = await (
            asyncio.to_thread(evidence.recent) if nonce is None else asyncio.to_thread(evidence.live, nonce)
        )
        self._log.write(LogEvent.DOCUMENT)
        return document

    async def _sealed(self, scope: Scope, receive: Receive, send: Send) -> None:
        if dict(scope["headers"]).get(b"content-type") != MEDIA_SEALED_REQUEST.encode():
            raise Refused(Problem.REJECTED)
        message = await self._read(receive)
        if self._free == 0:
            raise Refused(Problem.BUSY)
        self._free -= 1  # only now: callers that send slowly must not keep others out
        try:
            opened = self._service.open(message)
            await start(send, 200, opened.media_type)
            async with aclosing(self._service.answer(opened)) as pieces:
                await _stream(pieces, receive, send)
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


async def _stream(pieces: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> None:
    """Send pieces until they end or the peer goes away; what produces them is closed by the caller either way."""
    gone = asyncio.ensure_future(receive())
    try:
        while (piece := await _piece_unless(gone, pieces)) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _piece_unless(gone: asyncio.Future[Message], pieces: AsyncGenerator[bytes, None]) -> bytes | None:
    """The next piece; None at their end, or as soon as the peer is gone: the next piece may be a whole answer."""
    following: asyncio.Future[bytes | None] = asyncio.ensure_future(anext(pieces, None))
    try:
        await asyncio.wait((following, gone), return_when=asyncio.FIRST_COMPLETED)
        return None if gone.done() else await following
    finally:
        if following.cancel():
            await asyncio.wait((following,))


def _nonce(query: bytes) -> bytes | None:
    """The `nonce` of a query string, in hex; raise Refused for anything else in it."""
    if not query:
        return None
    try:
        [(name, value)] = parse_qsl(query.decode("ascii"), strict_parsing=True, max_num_fields=1)
        nonce = bytes.fromhex(value)
    except ValueError:
        raise Refused(Problem.REJECTED) from None
    if name != "nonce" or not NONCE_BYTES_MIN <= len(nonce) <= NONCE_BYTES_MAX or len(value) != 2 * len(nonce):
        raise Refused(Problem.REJECTED)
    return nonce


def _models(boot: BootSequence) -> bytes:
    fields = ("id", "version", "task", "manifest_sha384")
    models = [{name: getattr(entry, name) for name in fields} for entry in boot.catalogue.model]
    return json.dumps({"models": models}).encode()
