import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

import proxy.metrics
from proxy.accepting import Places
from proxy.counters import Counters, Outcome
from proxy.exposition import exposition
from proxy.metrics import MetricsServer, listen_loopback
from tests.proxy.bench import nothing_unhandled

GET = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"
EXPECTED = """\
# HELP strongroom_proxy_connections_active Connections served now.
# TYPE strongroom_proxy_connections_active gauge
strongroom_proxy_connections_active 3
# HELP strongroom_proxy_connections_limit Connections served at most.
# TYPE strongroom_proxy_connections_limit gauge
strongroom_proxy_connections_limit 512
# HELP strongroom_proxy_connections_ended_total Connections served, by outcome.
# TYPE strongroom_proxy_connections_ended_total counter
strongroom_proxy_connections_ended_total{outcome="completed"} 5
strongroom_proxy_connections_ended_total{outcome="malformed"} 0
strongroom_proxy_connections_ended_total{outcome="forbidden"} 1
strongroom_proxy_connections_ended_total{outcome="unreachable"} 0
strongroom_proxy_connections_ended_total{outcome="timed_out"} 0
strongroom_proxy_connections_ended_total{outcome="broken"} 0
# HELP strongroom_proxy_connections_refused_total Connections closed at the limit.
# TYPE strongroom_proxy_connections_refused_total counter
strongroom_proxy_connections_refused_total 7
# HELP strongroom_proxy_accept_errors_total Accepts that failed.
# TYPE strongroom_proxy_accept_errors_total counter
strongroom_proxy_accept_errors_total 2
# HELP strongroom_proxy_bytes_total Bytes from the enclave (outbound) and to it.
# TYPE strongroom_proxy_bytes_total counter
strongroom_proxy_bytes_total{direction="outbound"} 10
strongroom_proxy_bytes_total{direction="inbound"} 20
"""


def counters() -> Counters:
    counted = Counters(Places(512, taken=3, refused=7, errors=2), outbound_bytes=10, inbound_bytes=20)
    counted.ended[Outcome.COMPLETED] = 5
    counted.ended[Outcome.FORBIDDEN] = 1
    return counted


@contextlib.asynccontextmanager
async def metrics(address: str = "127.0.0.1") -> AsyncIterator[int]:
    listener = listen_loopback(address, 0)
    port = listener.getsockname()[1]
    async with nothing_unhandled(), MetricsServer(counters()).serving(listener):
        yield port


async def answer(port: int, request: bytes, address: str = "127.0.0.1") -> tuple[str, str]:
    """The status line and the body; both empty when the connection was closed without an answer."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(request)
    try:
        async with asyncio.timeout(5):
            head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    finally:
        writer.close()
    return head.partition("\r\n")[0], body


def test_every_counter_is_exposed_with_labels_of_fixed_sets() -> None:
    assert exposition(counters()) == EXPECTED


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_scrape_is_answered(address: str) -> None:
    async with metrics(address) as port:
        assert await answer(port, GET, address) == ("HTTP/1.1 200 OK", EXPECTED)


async def test_a_scrape_in_pieces_is_answered() -> None:
    async with metrics() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for byte in GET:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
        writer.close()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"HEAD /metrics HTTP/1.1", "405 Method Not Allowed"),
        (b"POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        (b"GET / HTTP/1.1", "404 Not Found"),
        (b"GET /metrics/ HTTP/1.1", "404 Not Found"),
        (b"GET /metrics?x HTTP/1.1", "404 Not Found"),
        (b"GET http://169.254.169.254/ HTTP/1.1", "404 Not Found"),
        (b"GET /metrics HTTP/2", "400 Bad Request"),
        (b"GET /metrics", "400 Bad Request"),
        (b"get /metrics HTTP/1.1", "400 Bad Request"),
        (b" GET /metrics HTTP/1.1", "400 Bad Request"),
        (b"CONNECT kms.example:443", "400 Bad Request"),
        (b"\x16\x03\x01\x02\x00", "400 Bad Request"),
        (b"GET /" + b"a" * 300 + b" HTTP/1.1", "400 Bad Request"),
        (b"", "400 Bad Request"),
    ],
)
async def test_all_else_is_refused(request_line: bytes, status: str) -> None:
    async with metrics() as port:
        assert await answer(port, request_line + b"\r\nHost: x\r\n\r\n") == (f"HTTP/1.1 {status}", "")


async def test_a_head_is_bounded() -> None:
    async with metrics() as port:
        status, _ = await answer(port, GET[:-2] + b"X: " + b"a" * (4096 - len(GET) - 1))
        assert status == "HTTP/1.1 400 Bad Request"


async def test_a_silent_scraper_is_closed_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.metrics, "_TIMEOUT_S", 0.3)
    async with metrics() as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        one_more, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await one_more.read() == b""
        assert not any(reader.at_eof() for reader, _ in silent)
        assert [await reader.read() for reader, _ in silent] == [b""] * 8
        assert await answer(port, GET) == ("HTTP/1.1 200 OK", EXPECTED)
        for _, each in [*silent, (one_more, writer)]:
            each.close()


async def test_a_scraper_that_resets_is_no_event() -> None:
    async with metrics() as port:
        for request in (b"", GET[:10], GET):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(request)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert (await answer(port, GET))[0] == "HTTP/1.1 200 OK"
