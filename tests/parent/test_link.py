"""No answer ever meets another question: cancelled and failed exchanges close their connections."""

import asyncio
import random
from pathlib import Path

import pytest

from parent.errors import EnclaveBusy, EnclaveTimedOut, EnclaveUnreachable
from parent.link import EnclaveLink
from strongroom.transport.addresses import UnixAddress
from tests.parent.support import Exchange, FakeEnclave, enclave_at, eventually


async def _mirror(exchange: Exchange) -> None:
    """Answers in two halves with what it was asked."""
    question = await exchange.body()
    await asyncio.sleep(0)
    await exchange.start(200, "text/plain")
    await exchange.chunk(question)
    await asyncio.sleep(0)
    await exchange.chunk(question, more=False)


async def _ask(link: EnclaveLink, question: bytes) -> bytes:
    async with link.exchange("POST", "/mirror", body=question) as answer:
        return await answer.read(1024)


def _link(folder: Path, **options: float) -> EnclaveLink:
    given = {"timeout_s": 5.0, "max_exchanges": 64} | options
    return EnclaveLink(UnixAddress(folder / "api"), **given)  # type: ignore[arg-type]  # numbers


async def test_a_finished_exchange_returns_its_connection(tmp_path: Path) -> None:
    async with enclave_at(tmp_path / "api", FakeEnclave({"POST /mirror": _mirror})) as server, _link(tmp_path) as link:
        for number in range(20):
            assert await _ask(link, b"%d" % number) == b"%d" % number * 2
        assert len(server.server_state.connections) == 1


async def test_an_unread_answer_closes_its_connection(tmp_path: Path) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.start(200, "text/plain")
        await exchange.chunk(b"first")
        await exchange.disconnected()

    enclave = FakeEnclave({"POST /mirror": _mirror, "GET /endless": endless})
    async with enclave_at(tmp_path / "api", enclave) as server, _link(tmp_path) as link:
        async with link.exchange("GET", "/endless") as answer:
            pass
        await eventually(lambda: not server.server_state.connections)
        assert answer.status == 200  # still held: its connection was closed all the same
        assert await _ask(link, b"next") == b"nextnext"


async def test_bytes_behind_an_answer_never_answer_the_next_question(tmp_path: Path) -> None:
    def answer(body: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        writer.write(answer(await reader.readexactly(length)))
        await asyncio.sleep(0.05)  # the connection is back in the pool by now
        writer.write(answer(b"stale"))
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(babbling, tmp_path / "api")
    async with _link(tmp_path) as link:
        for question in (b"first", b"second", b"third"):
            assert await _ask(link, question) == question
            await asyncio.sleep(0.1)
    server.close()


async def test_2000_cancels_at_random_moments_mix_no_answers(tmp_path: Path) -> None:
    chance = random.Random(7)
    cancelled = answered = 0

    async def ask(link: EnclaveLink, number: int) -> None:
        nonlocal cancelled, answered
        task = asyncio.create_task(_ask(link, b"<%d>" % number))
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        task.cancel()
        try:
            assert await task == b"<%d>" % number * 2
            answered += 1
        except asyncio.CancelledError:
            cancelled += 1

    async with enclave_at(tmp_path / "api", FakeEnclave({"POST /mirror": _mirror})), _link(tmp_path) as link:
        for start in range(0, 2000, 20):
            await asyncio.gather(*(ask(link, number) for number in range(start, start + 20)))
            assert await _ask(link, b"witness") == b"witnesswitness"
    assert cancelled > 200
    assert answered > 200


async def test_nothing_listening_is_unreachable(tmp_path: Path) -> None:
    async with _link(tmp_path) as link:
        with pytest.raises(EnclaveUnreachable):
            await _ask(link, b"?")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_a_question_that_gets_no_answer_is_not_asked_again(tmp_path: Path, method: str) -> None:
    """A boot step that was taken must not come twice: the second would end the enclave."""
    asked: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_unix_server(hang_up, tmp_path / "api")
    async with _link(tmp_path) as link:
        with pytest.raises(EnclaveUnreachable, match="ServerDisconnectedError"):
            async with link.exchange(method, "/boot/key-check"):
                pass
    server.close()
    assert len(asked) == 1


async def test_silence_is_timed_out_and_its_connection_closed(tmp_path: Path) -> None:
    enclave = FakeEnclave({"POST /mirror": Exchange.disconnected})
    async with enclave_at(tmp_path / "api", enclave) as server, _link(tmp_path, timeout_s=0.1) as link:
        with pytest.raises(EnclaveTimedOut):
            await _ask(link, b"?")
        await eventually(lambda: not server.server_state.connections)


async def test_the_number_of_exchanges_is_bounded_and_freed(tmp_path: Path) -> None:
    async with (
        enclave_at(tmp_path / "api", FakeEnclave({"POST /mirror": _mirror})),
        _link(tmp_path, max_exchanges=1) as link,
    ):
        async with link.exchange("POST", "/mirror", body=b"first"):
            with pytest.raises(EnclaveBusy):
                await _ask(link, b"second")
        assert await _ask(link, b"third") == b"thirdthird"


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async def redirect(exchange: Exchange) -> None:
        headers = [(b"location", b"http://169.254.169.254/"), (b"content-length", b"0")]
        await exchange.send({"type": "http.response.start", "status": 302, "headers": headers})
        await exchange.chunk(b"", more=False)

    async with (
        enclave_at(tmp_path / "api", FakeEnclave({"GET /": redirect})),
        _link(tmp_path) as link,
        link.exchange("GET", "/") as answer,
    ):
        assert answer.status == 302


async def test_a_closed_link_says_how_to_use_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await _ask(_link(tmp_path), b"?")
