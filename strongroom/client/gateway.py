"""The gateway as the client sees it: untrusted bytes over HTTP, bounded, never redirected, never retried here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp
from yarl import URL

from strongroom.client.errors import (
    AnswerTruncated,
    ClientClosed,
    GatewayProblem,
    InvalidArgument,
    SealBroken,
    StaleKey,
    Unreachable,
)
from strongroom.client.problem_bodies import MAX_PROBLEM_BYTES, parse_problem
from strongroom.client.resolver import Resolver
from strongroom.protocol.constants import MEDIA_PROBLEM, MEDIA_SEALED_REQUEST, PATH_SEALED
from strongroom.protocol.problems import Problem

_HEADERS = {"User-Agent": "strongroom", "Accept-Encoding": "identity"}
_KEEP_ALIVE_S = 3.0
"""Below the 5 seconds after which servers commonly close: a sealed request that meets a closing connection is lost."""


class Reply:
    """The answer to one sealed request: its head has come, its body is still on the way."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

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
        refusal = await _refusal(self._response)
        raise StaleKey if refusal.problem is Problem.STALE_KEY else refusal

    async def read(self) -> bytes:
        """The next bytes of the body, empty at its end. Raises AnswerTruncated when the connection breaks."""
        with _transport_errors(AnswerTruncated):
            return await self._response.content.readany()

    def close(self) -> None:
        """Give the connection up unless the body was read to its end: the server sees that nobody listens."""
        self._response.close()


class Gateway:
    """One gateway: `url` is http(s)://host[:port][/prefix]. Opens connections on first use, inside the running loop."""

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self._http: aiohttp.ClientSession | None = None
        self._closed = False

    async def get(self, path: str, media_type: str, max_bytes: int, query: Mapping[str, str] | None = None) -> bytes:
        """The body of a 200 of that media type, at most `max_bytes`. Raises Unreachable, GatewayProblem."""
        with _transport_errors(Unreachable):
            async with self._session().get(self._at(path), params=query, allow_redirects=False) as response:
                if response.status != 200:
                    raise await _refusal(response)
                body = await _bounded(response, max_bytes)
                if body is None or response.headers.get("Content-Type") != media_type:
                    raise GatewayProblem(response.status)
                return body

    async def post_sealed(self, message: bytes, accept: str) -> Reply:
        """Send one sealed request, once. The caller closes the reply. Raises Unreachable."""
        headers = {"Content-Type": MEDIA_SEALED_REQUEST, "Accept": accept}
        with _transport_errors(Unreachable):
            session = self._session()
            return Reply(
                await session.post(self._at(PATH_SEALED), data=message, headers=headers, allow_redirects=False)
            )

    async def close(self) -> None:
        """Close every connection; the gateway cannot be used again."""
        self._closed = True
        if self._http is not None:
            await self._http.close()

    def _at(self, path: str) -> URL:
        return self._url.joinpath(path.lstrip("/"))

    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ClientClosed
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=_KEEP_ALIVE_S, resolver=Resolver()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                headers=_HEADERS,
                auto_decompress=False,
                trust_env=False,
            )
        return self._http


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


async def _refusal(response: aiohttp.ClientResponse) -> GatewayProblem:
    """What an answer other than a success stands for."""
    problem = None
    if response.headers.get("Content-Type") == MEDIA_PROBLEM:
        with _transport_errors(Unreachable):
            problem = parse_problem(await _bounded(response, MAX_PROBLEM_BYTES), response.status)
    return GatewayProblem(response.status, problem)
