"""Who goes next: nobody waits behind more than one request of each of the others, and waiting has its bounds."""

import asyncio
from pathlib import Path

import pytest

from parent.errors import EnclaveBusy
from parent.measured import measured_in_flight
from parent.turns import Turns, caller_of
from strongroom.documents import to_toml
from strongroom.protocol.configuration import Limits
from strongroom.protocol.problems import Problem
from tests.enclave.deployment import configuration
from tests.parent.support import HEADERS, REQUEST, Exchange, Handler, appliance, echo, eventually


class Crowd:
    """Requests that hold their turn until they are told to end; in the order in which they got it."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._running: list[asyncio.Event] = []
        self.begun: list[str] = []

    async def ask(self, caller: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._ask(caller))
        await asyncio.sleep(0)
        return task

    async def end_one(self) -> None:
        self._running.pop(0).set()
        for _ in range(3):
            await asyncio.sleep(0)

    async def end_all(self) -> None:
        while self._running:
            await self.end_one()

    async def _ask(self, caller: str) -> None:
        async with self._turns.turn(caller):
            end = asyncio.Event()
            self.begun.append(caller)
            self._running.append(end)
            await end.wait()


def crowd(places: int = 1, max_waiting: int = 8, patience_s: float = 5.0) -> Crowd:
    return Crowd(Turns(places, max_waiting=max_waiting, patience_s=patience_s))


async def test_one_caller_alone_has_all_the_places() -> None:
    under_test = crowd(places=3)
    for _ in range(3):
        await under_test.ask("a")
    assert under_test.begun == ["a"] * 3
    await under_test.end_all()


async def test_a_caller_of_one_request_waits_for_one_request_of_a_caller_of_many() -> None:
    under_test = crowd()
    tasks = [await under_test.ask("a") for _ in range(6)]
    tasks.append(await under_test.ask("b"))
    await under_test.end_all()
    assert under_test.begun == ["a", "a", "b", "a", "a", "a", "a"]
    await asyncio.gather(*tasks)


async def test_callers_of_many_go_in_turn() -> None:
    under_test = crowd(max_waiting=9)
    for caller in "aaaabbbcc":
        await under_test.ask(caller)
    await under_test.end_all()
    assert "".join(under_test.begun) == "aabcabcab"


async def test_a_place_goes_to_who_has_the_fewest() -> None:
    """Else who keeps a queue would be first again, whenever one without gives up waiting and comes back."""
    under_test = crowd(places=3)
    for caller in "aaaaaabcb":
        await under_test.ask(caller)
    await under_test.end_one()
    await under_test.end_one()
    assert "".join(under_test.begun) == "aaabc"
    await under_test.end_all()
    assert "".join(under_test.begun) == "aaabcabaa"


async def test_places_that_come_free_at_once_go_to_two_callers() -> None:
    under_test = crowd(places=3)
    for caller in "aaaabb":
        await under_test.ask(caller)
    for running in under_test._running[:2]:
        running.set()
    await eventually(lambda: len(under_test.begun) == 5)
    assert sorted(under_test.begun[3:]) == ["a", "b"]
    await under_test.end_all()


async def test_who_finds_no_room_to_wait_is_busy_unless_another_waits_with_more() -> None:
    under_test = crowd(max_waiting=3)
    tasks = [await under_test.ask("a") for _ in range(4)]
    with pytest.raises(EnclaveBusy, match="at most 3 requests to wait"):
        await (await under_test.ask("a"))
    others = []
    for caller, leaves in (("b", tasks[3]), ("c", tasks[2])):
        others.append(await under_test.ask(caller))
        with pytest.raises(EnclaveBusy, match="at most 3 requests to wait"):
            await leaves
    with pytest.raises(EnclaveBusy, match="at most 3 requests to wait"):  # each has one: nobody is sent away for it
        await (await under_test.ask("d"))
    await under_test.end_all()
    assert under_test.begun == ["a", "a", "b", "c"]
    await asyncio.gather(*tasks[:2], *others)


async def test_who_waits_too_long_is_busy_and_leaves_no_trace() -> None:
    turns = Turns(1, max_waiting=8, patience_s=0.01)
    async with turns.turn("a"):
        with pytest.raises(EnclaveBusy, match=r"a turn within 0\.01 s"):
            async with turns.turn("b"):
                pytest.fail("expected no turn")
        assert turns.waiting == 0
    async with turns.turn("b"):
        pass


async def test_who_leaves_while_it_waits_takes_no_turn() -> None:
    under_test = crowd()
    await under_test.ask("a")
    gone, stays = await under_test.ask("b"), await under_test.ask("c")
    gone.cancel()
    await under_test.end_one()  # before the one who left has noticed
    assert under_test.begun == ["a", "c"]
    await under_test.end_all()
    await stays


async def test_a_turn_that_comes_as_its_caller_leaves_goes_to_the_next() -> None:
    under_test = crowd()
    await under_test.ask("a")
    gone, stays = await under_test.ask("b"), await under_test.ask("c")
    under_test._running.pop(0).set()
    await asyncio.sleep(0)  # the turn is b's now, and b has not run yet
    gone.cancel()
    await eventually(lambda: under_test.begun == ["a", "c"])
    await under_test.end_all()
    await stays
    assert under_test._turns._free == 1


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_caller_is_an_address_or_a_network_that_one_has_all_of(address: str, caller: str) -> None:
    assert caller_of(address) == caller


def test_the_places_are_the_measured_ones(tmp_path: Path) -> None:
    path = tmp_path / "deployment.toml"
    assert measured_in_flight(path) is None
    path.write_bytes(b"version = 2")
    assert measured_in_flight(path) is None
    path.write_bytes(to_toml(configuration(limits=Limits(max_in_flight=7))))
    assert measured_in_flight(path) == 7


async def test_what_waits_reaches_the_enclave_in_its_turn(tmp_path: Path) -> None:
    begun, end = list[bytes](), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        begun.append(await exchange.body())
        await end.wait()
        await exchange.refuse(Problem.BUSY)

    async with appliance(tmp_path, {"POST /v1/sealed": handler}, max_exchanges=1) as gateway:
        asked = [asyncio.create_task(gateway.seal()) for _ in range(3)]

        async def waiting(count: int) -> bool:
            return b'strongroom_gateway_waiting{enclave="1"} %d.0' % count in (await gateway.get("/metrics")).body

        for _ in range(500):
            if await waiting(2):
                break
            await asyncio.sleep(0.01)
        assert len(begun) == 1
        end.set()
        assert [reply.problem for reply in await asyncio.gather(*asked)] == [Problem.BUSY] * 3
        assert len(begun) == 3
        assert await waiting(0)


async def silent(exchange: Exchange) -> None:
    await exchange.disconnected()


async def test_questions_take_no_place_of_a_sealed_request(tmp_path: Path) -> None:
    handlers: dict[str, Handler] = {"GET /v1/models": silent, "POST /v1/sealed": echo}
    async with appliance(tmp_path, handlers, max_exchanges=2) as gateway:
        questions = [asyncio.create_task(gateway.get("/v1/models")) for _ in range(4)]
        await asyncio.sleep(0.1)
        assert (await gateway.seal()).status == 200
        for question in questions:
            question.cancel()


async def test_more_questions_than_allowed_wait_for_their_turn_and_are_busy_then(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"GET /v1/models": silent}, turn_timeout_s=0.05) as gateway:
        questions = [asyncio.create_task(gateway.get("/v1/models")) for _ in range(8)]
        await asyncio.sleep(0.1)
        for path in ("/v1/models", "/v1/attestation", "/v1/evidence", f"/v1/evidence/{'0f' * 48}"):
            refused = await gateway.get(path)
            assert refused.problem is Problem.BUSY
            assert refused.headers["Retry-After"] == "1"
        assert (await gateway.get("/livez")).status == 200
        for question in questions:
            question.cancel()


async def test_a_slow_upload_takes_no_place(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}, max_exchanges=1) as gateway:
        declared = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (200_000 + len(REQUEST))
        slow = await gateway.raw(HEADERS + declared + REQUEST + b"\xff" * 100_000)
        await asyncio.sleep(0.1)
        assert (await gateway.seal()).status == 200
        await slow.send(b"\xff" * 100_000)
        answer = await slow.rest()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"\xff") == 200_000


async def test_more_uploads_than_allowed_wait_for_their_turn_and_are_busy_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parent.gateway._MAX_UPLOADS", 1)
    async with appliance(tmp_path, {"POST /v1/sealed": echo}, turn_timeout_s=0.05) as gateway:
        slow = await gateway.raw(HEADERS + b"Content-Length: 200000\r\n\r\n" + REQUEST.ljust(100_000))
        await asyncio.sleep(0.1)
        refused = await gateway.seal(REQUEST.ljust(100_000))
        assert refused.problem is Problem.BUSY
        assert refused.headers["Retry-After"] == "1"
        slow.close()
        await eventually(lambda: not gateway.server.server_state.tasks)
        assert (await gateway.seal(REQUEST.ljust(100_000))).status == 200
