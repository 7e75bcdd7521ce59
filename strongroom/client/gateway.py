"""The gateway as the client sees it: untrusted bytes over HTTP, bounded, never redirected, never retried here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO

import aiohttp
from yarl import URL

from attestation.evidence import MAX_EVIDENCE_BYTES
from strongroom.client.connections import Connections
from strongroom.client.errors import (
    AnswerTruncated,
    GatewayProblem,
    InvalidArgument,
    SealBroken,
    StaleKey,
    Unreachable,
)
from strongroom.client.problem_bodies import MAX_PROBLEM_BYTES, parse_problem
from strongroom.protocol.constants import (
    MEDIA_EVIDENCE,
    MEDIA_PROBLEM,
    MEDIA_SEALED_REQUEST,
    PATH_EVIDENCE,
    PATH_SEALED,
)
from strongroom.protocol.problems import Problem


class Reply:
    """The answer to one sealed request of `sent_bytes`: its head has come, its body is still on the way."""

    def __init__(self, response: aiohttp.ClientResponse, sent_bytes: int) -> None:
        self._response, self._sent_bytes = response, sent_bytes

    async def require(self, media_type: str) -> None:
        """Return for a 200 of that media type.

        Raises SealBroken for any other success: plain bytes are never an answer. Raises StaleKey or GatewayProblem
        for the rest, redirects among them.
        """
        status, actual = self._response.status, self._response.headers.get("Content-Type")
        if status == 200 and actual == media_type:
            return
        if 200 <= status < 300:
            raise SealBroken(f"expected 200 with {media_type}, got {status} with something else")
        refusal = await _refusal(self._response, self._sent_bytes)
        raise StaleKey if refusal.problem is Problem.STALE_KEY else refusal

    async def read(self) -> bytes:
        """The next bytes of the body, empty at its end. Raises AnswerTruncated when the connection breaks."""
        with _transport_errors(AnswerTruncated):
            return await self._response.content.readany()

    async def read_whole(self, max_bytes: int) -> bytes:
        """All of the body. Raises AnswerTruncated, and SealBroken beyond `max_bytes`."""
        with _transport_errors(AnswerTruncated):
            body = await _bounded(self._response, max_bytes)
        if body is None:
            raise SealBroken(f"expected an answer of at most {max_bytes} bytes, got a longer one")
        return body

    def close(self) -> None:
        """Give the connection up unless the body was read to its end: the server sees that nobody listens."""
        self._response.close()


class Gateway:
    """One gateway: `url` is http(s)://host[:port][/prefix]."""

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self._sealed_url = self._at(PATH_SEALED)
        self._connections = Connections()

    async def get(self, path: str, media_type: str, max_bytes: int, query: Mapping[str, str] | None = None) -> bytes:
        """The body of a 200 of that media type, at most `max_bytes`. Raises Unreachable, GatewayProblem."""
        with _transport_errors(Unreachable):
            http = await self._connections.http()
            async with http.get(self._at(path), params=query, allow_redirects=False) as response:
                if response.status != 200:
                    raise await _refusal(response)
                body = await _bounded(response, max_bytes)
                if body is None or response.headers.get("Content-Type") != media_type:
                    raise GatewayProblem(response.status)
                return body

    async def evidence(self, digest: bytes) -> bytes:
        """The evidence whose document has that digest, unverified. Raises Unreachable, GatewayProblem."""
        return await self.get(f"{PATH_EVIDENCE}/{digest.hex()}", MEDIA_EVIDENCE, MAX_EVIDENCE_BYTES)

    async def ask(self, message: bytes, media_type: str) -> Reply:
        """Send one sealed request, once, for an answer of that media type. The caller closes the reply.

        Raises Unreachable, and what `require` raises.
        """
        reply = await self._post(message, media_type)
        try:
            await reply.require(media_type)
        except BaseException:
            reply.close()
            raise
        return reply

    async def close(self) -> None:
        """Close every connection; the gateway cannot be used again."""
        await self._connections.close()

    async def _post(self, message: bytes, accept: str) -> Reply:
        headers = {"Content-Type": MEDIA_SEALED_REQUEST, "Accept": accept}
        with _transport_errors(Unreachable):
            body = BytesIO(message)  # of bytes above 1 MiB aiohttp complains
            http = await self._connections.http()
            sent = http.post(self._sealed_url, data=body, headers=headers, allow_redirects=False)
            return Reply(await sent, len(message))

    def _at(self, path: str) -> URL:
        return self._url.joinpath(path.lstrip("/"))


def _parse(url: str) -> URL:
    try:
        parsed = URL(url)
        (parsed.host or "").encode("idna")  # what getaddrinfo does first; it fails outside every OSError
    except (ValueError, TypeError):
        raise InvalidArgument("url: expected http(s)://host[:port], got something else") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidArgument("url: expected http(s)://host[:port], got another form")
    if parsed.user is not None or parsed.password is not None or parsed.query_string or parsed.fragment:
        raise InvalidArgument("url: expected an address only, got credentials, a query or a fragment")
    return parsed


@contextmanager
def _transport_errors(lost: type[Unreachable] | type[AnswerTruncated]) -> Iterator[None]:
    """What aiohttp says names the peer's bytes at times: only that the connection failed is passed on."""
    try:
        yield
    except (aiohttp.ClientError, OSError):
        raise lost from None


async def _bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """The whole body, or None once it is longer than `max_bytes`."""
    body = bytearray()
    while piece := await response.content.readany():
        body += piece
        if len(body) > max_bytes:
            return None
    return bytes(body)


async def _refusal(response: aiohttp.ClientResponse, sent_bytes: int | None = None) -> GatewayProblem:
    """What an answer other than a success stands for."""
    problem = None
    if response.headers.get("Content-Type") == MEDIA_PROBLEM:
        with _transport_errors(Unreachable):
            problem = parse_problem(await _bounded(response, MAX_PROBLEM_BYTES), response.status)
    return GatewayProblem(response.status, problem, sent_bytes=sent_bytes)
