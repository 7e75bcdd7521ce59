import asyncio
import socket
from pathlib import Path

import pytest

import proxy.dialling
from proxy.counters import Outcome
from proxy.egress import EgressLimits
from proxy.rules import Rule
from strongroom.transport.egress import ACCEPTED, encode_destination
from tests.proxy.bench import KMS, QUICK, bench, destination, echo, pinned

INSIDE = [
    "127.0.0.1",
    "169.254.169.254",
    "::ffff:127.0.0.1",
    "10.0.0.1",
    "fd00:ec2::254",
    "224.0.0.1",
]


def answer(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Answer the first lookup with the first list, and so on; the last one for good."""
    left = list(answers)

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        assert (host, port) == (KMS, 443)
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def refuse(address: str, port: int) -> socket.socket:
    raise AssertionError("dialled")


@pytest.mark.parametrize("address", INSIDE)
async def test_an_allowed_name_that_resolves_inside_is_forbidden(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, [address])
    monkeypatch.setattr(proxy.dialling, "connect", refuse)
    async with bench(tmp_path, Rule(KMS, 443)) as at:
        assert await (await at.enclave()).ask() == b""
        await at.outcome(Outcome.FORBIDDEN)


async def test_localhost_by_name_is_forbidden_for_real(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, Rule("localhost", port)) as at:
        assert await (await at.enclave()).ask(encode_destination("localhost", port)) == b""
        await at.outcome(Outcome.FORBIDDEN)


async def test_a_name_that_resolves_differently_later_is_judged_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, ["52.94.0.1"], ["127.0.0.1"], ["52.94.0.2"])
    dialled = []
    async with destination(echo) as port:
        real = proxy.dialling.connect

        async def connect(address: str, _: int) -> socket.socket:
            dialled.append(address)
            return await real("127.0.0.1", port)

        monkeypatch.setattr(proxy.dialling, "connect", connect)
        async with bench(tmp_path, Rule(KMS, 443)) as at:
            answers = [await (await at.enclave()).ask() for _ in range(3)]
    assert answers == [ACCEPTED, b"", ACCEPTED]
    assert dialled == ["52.94.0.1", "52.94.0.2"]


async def test_the_judged_address_is_the_one_dialled_and_the_next_one_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled = []

    async def connect(address: str, port: int) -> socket.socket:
        dialled.append((address, port))
        raise ConnectionRefusedError

    answer(monkeypatch, ["52.94.0.1", "127.0.0.1", "52.94.0.2"])
    monkeypatch.setattr(proxy.dialling, "connect", connect)
    async with bench(tmp_path, Rule(KMS, 443)) as at:
        assert await (await at.enclave()).ask() == b""
        await at.outcome(Outcome.UNREACHABLE)
    assert dialled == [("52.94.0.1", 443), ("52.94.0.2", 443)]


async def test_a_silent_address_leaves_time_for_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ["52.94.0.1", "52.94.0.2"])
    async with destination(echo) as port:
        real = proxy.dialling.connect

        async def connect(address: str, _: int) -> socket.socket:
            if address == "52.94.0.1":
                await asyncio.get_running_loop().create_future()
            return await real("127.0.0.1", port)

        monkeypatch.setattr(proxy.dialling, "connect", connect)
        limits = EgressLimits(connect_timeout_s=1)
        async with bench(tmp_path, Rule(KMS, 443), limits=limits) as at:
            assert await (await at.enclave()).ask() == ACCEPTED


async def test_a_long_answer_is_not_dialled_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled = []

    async def connect(address: str, port: int) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    answer(monkeypatch, [f"52.94.0.{number}" for number in range(1, 200)])
    monkeypatch.setattr(proxy.dialling, "connect", connect)
    async with bench(tmp_path, Rule(KMS, 443)) as at:
        assert await (await at.enclave()).ask() == b""
    assert dialled == ["52.94.0.1", "52.94.0.2", "52.94.0.3", "52.94.0.4"]


async def test_what_cannot_be_reached_never_ends_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(host: str, port: int, **_: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening
        refusing = pinned(unused.getsockname()[1], "refusing.example")
        async with destination(echo) as port:
            rules = refusing, Rule("unknown.example", 443), pinned(port)
            async with bench(tmp_path, *rules) as at:
                for host in ("refusing.example", "unknown.example") * 3:
                    assert await (await at.enclave()).ask(encode_destination(host, 443)) == b""
                assert at.proxy.counters.ended[Outcome.UNREACHABLE] == 6
                assert await (await at.enclave()).ask() == ACCEPTED


async def test_a_destination_that_never_answers_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silence(address: str, port: int) -> socket.socket:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("answered")

    monkeypatch.setattr(proxy.dialling, "connect", silence)
    async with bench(tmp_path, pinned(1), limits=QUICK) as at:
        assert await (await at.enclave()).ask() == b""
        await at.outcome(Outcome.UNREACHABLE)


async def test_connections_to_destinations_do_not_wait_for_nagle() -> None:
    async with destination(echo) as port:
        with await proxy.dialling.connect("127.0.0.1", port) as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
