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
from tests.parent.support import Exchange, appliance, eventually


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
