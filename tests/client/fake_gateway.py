"""A gateway for tests on a loopback port: honest by default; a handler in `faults` takes the place of a path's own.

The path of evidence by a document's digest is BY_DIGEST, whatever the digest.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from strongroom.protocol.constants import (
    MEDIA_EVIDENCE,
    MEDIA_PROBLEM,
    PATH_EVIDENCE,
    PATH_MODELS,
    PATH_SEALED,
)
from strongroom.protocol.problems import Problem
from tests.client.fake_enclave import FakeEnclave, Sealed

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
BY_DIGEST = f"{PATH_EVIDENCE}/"
MODELS = [{"id": f"tiny-{task}", "version": "1", "task": task, "manifest_sha384": "ab" * 48} for task in
          ("chat", "embed", "classify", "tag", "infer")]  # fmt: skip


class FakeGateway:
    """`seen` lists the paths asked for, `messages` the sealed requests; a request that stalls sets
    `stalled`, and `gone` when its client hangs up."""

    def __init__(self, enclave: FakeEnclave) -> None:
        self.enclave = enclave
        self.faults: dict[str, Handler] = {}
        self.seen: list[str] = []
        self.messages: list[bytes] = []
        self.stalled, self.gone = asyncio.Event(), asyncio.Event()
        self.url = ""

    async def start(self) -> None:
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def count(self, path: str) -> int:
        return self.seen.count(path)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(request.path)
        if request.path == PATH_SEALED:
            self.messages.append(await request.read())
        routes: dict[str, Handler] = {
            PATH_EVIDENCE: self.evidence,
            BY_DIGEST: self.evidence_of,
            PATH_MODELS: self.models,
            PATH_SEALED: self.sealed,
        }
        path = BY_DIGEST if request.path.startswith(BY_DIGEST) else request.path
        return await {**routes, **self.faults}[path](request)

    async def evidence(self, request: web.BaseRequest) -> web.Response:
        evidence = self.enclave.evidence(bytes.fromhex(request.query["nonce"]))
        return web.Response(body=evidence, content_type=MEDIA_EVIDENCE)

    async def evidence_of(self, request: web.BaseRequest) -> web.StreamResponse:
        digest = bytes.fromhex(request.path.removeprefix(BY_DIGEST))
        if digest not in self.enclave.documents:
            return problem(Problem.NOT_FOUND)
        return web.Response(body=self.enclave.evidence_of(digest), content_type=MEDIA_EVIDENCE)

    async def models(self, request: web.BaseRequest) -> web.Response:
        return web.Response(body=json.dumps({"models": MODELS}).encode(), content_type="application/json")

    async def sealed(self, request: web.BaseRequest) -> web.StreamResponse:
        message = self.messages[-1]
        if not self.enclave.holds(message):
            return problem(Problem.STALE_KEY)
        return await self.send(request, self.enclave.answer(message))

    async def send(self, request: web.BaseRequest, answer: Sealed) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": answer.media_type})
        await response.prepare(request)
        for part in (answer.head, *answer.chunks):
            await response.write(part)
        return response

    async def send_then_stall(self, request: web.BaseRequest) -> web.StreamResponse:
        """The head and two chunks of an honest answer, then nothing until the client hangs up."""
        answer = self.enclave.answer(self.messages[-1])
        await self.send(request, replace(answer, chunks=answer.chunks[:2]))
        return await self.stall(request)

    async def stall(self, request: web.BaseRequest) -> web.StreamResponse:
        """Say nothing until the client hangs up."""
        self.stalled.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.gone.set()
        raise AssertionError


def problem(known: Problem) -> web.Response:
    return web.Response(status=known.status, body=known.to_bytes(), content_type=MEDIA_PROBLEM)


def respond(status: int = 200, body: bytes = b"", media_type: str | None = None, **headers: str) -> Handler:
    """A handler that always answers so."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        given = {"Content-Type": media_type} if media_type else {}
        return web.Response(status=status, body=body, headers={**given, **headers})

    return handle
