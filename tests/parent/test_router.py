"""A sealed request goes to the enclave whose key it is sealed to; unknown keys cost the enclaves next to nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from parent.enclave import Enclave
from parent.errors import EnclaveUnreachable, NoSealedRequest, StaleKey
from parent.fleet import Fleet
from parent.router import Router
from parent.settings import Settings
from parent.trust import Trust
from strongroom.protocol.constants import MEDIA_EVIDENCE, MEDIA_SEALED_RESPONSE
from strongroom.protocol.problems import Problem
from strongroom.protocol.ways import WayIn
from tests.parent.support import (
    KEY,
    REQUEST,
    Exchange,
    FakeEnclave,
    Gateway,
    Handler,
    enclave_at,
    enclaves_in,
    eventually,
    evidence_of,
    fixed,
    gateway_to,
    holding,
    refusing,
    request_to,
)

KEYS = {"a": b"key of a", "b": b"key of b"}
ENVELOPE = request_to(b"a key entry", suite=WayIn.KMS_ENVELOPE)


def named(name: str) -> dict[str, Handler]:
    """Handlers of an enclave that holds one key, and answers sealed requests with its name."""
    return {**holding(KEYS[name]), "POST /v1/sealed": fixed(200, MEDIA_SEALED_RESPONSE, name.encode())}


@asynccontextmanager
async def pair(
    folder: Path, changes: Mapping[str, Mapping[str, Handler]] | None = None, *, names: str = "ab"
) -> AsyncIterator[tuple[Gateway, dict[str, FakeEnclave]]]:
    """A gateway to enclaves a and b, of which those of `names` are there."""
    enclaves = {name: FakeEnclave(named(name) | dict((changes or {}).get(name, {}))) for name in names}
    async with AsyncExitStack() as stack:
        for name, enclave in enclaves.items():
            await stack.enter_async_context(enclave_at(folder / name, enclave))
        settings = Settings(enclaves_in(folder, "a", "b"))
        yield await stack.enter_async_context(gateway_to(folder, settings)), enclaves


def looks(enclave: FakeEnclave) -> int:
    return enclave.requests.count("GET /v1/evidence")


async def test_a_request_goes_to_the_enclave_that_holds_its_key(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _):
        for name in "abba":
            assert (await gateway.seal(request_to(KEYS[name]))).body == name.encode()


async def test_keys_in_evidence_that_passed_are_known_without_a_look(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, enclaves):
        for _ in enclaves:
            await gateway.get("/v1/evidence?nonce=" + "ab" * 32)
        for name in enclaves:
            assert (await gateway.seal(request_to(KEYS[name]))).body == name.encode()
        assert [looks(enclave) for enclave in enclaves.values()] == [0, 0]


async def test_an_unknown_key_is_stale_after_one_look_for_all_who_ask(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, enclaves):
        replies = await asyncio.gather(*(gateway.seal(request_to(b"%d" % number)) for number in range(20)))
        assert {reply.problem for reply in replies} == {Problem.STALE_KEY}
        assert [looks(enclave) for enclave in enclaves.values()] == [1, 1]
        assert all("POST /v1/sealed" not in enclave.requests for enclave in enclaves.values())


async def test_a_dead_enclave_is_502_for_its_key_and_for_no_other(tmp_path: Path) -> None:
    async with pair(tmp_path, names="b") as (gateway, _):
        async with enclave_at(tmp_path / "a", FakeEnclave(named("a"))):
            assert (await gateway.seal(request_to(KEYS["a"]))).body == b"a"
        assert (await gateway.seal(request_to(KEYS["a"]))).problem is Problem.ENCLAVE_UNREACHABLE
        assert (await gateway.seal(request_to(KEYS["b"]))).body == b"b"


async def test_an_unknown_key_is_stale_while_one_enclave_says_what_it_holds(tmp_path: Path) -> None:
    async with pair(tmp_path, names="b") as (gateway, _):
        assert (await gateway.seal(request_to(KEYS["a"]))).problem is Problem.STALE_KEY


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (refusing(Problem.BUSY), Problem.BUSY),
        (fixed(200, MEDIA_EVIDENCE, b"no evidence"), Problem.ENCLAVE_UNREACHABLE),
        (fixed(200, MEDIA_EVIDENCE, evidence_of()), Problem.ENCLAVE_UNREACHABLE),
    ],
)
async def test_what_no_enclave_tells_is_not_called_stale(tmp_path: Path, handler: Handler, expected: Problem) -> None:
    changes = {name: {"GET /v1/evidence": handler} for name in "ab"}
    async with pair(tmp_path, changes) as (gateway, enclaves):
        for _ in range(3):
            assert (await gateway.seal(request_to(KEYS["a"]))).problem is expected
        assert looks(enclaves["a"]) == 1


async def test_an_envelope_goes_to_the_enclave_with_the_least_to_do(tmp_path: Path) -> None:
    async def occupied(exchange: Exchange) -> None:
        await exchange.body()
        await exchange.disconnected()

    async with pair(tmp_path, {"a": {"POST /v1/sealed": occupied}}) as (gateway, enclaves):
        busy = asyncio.create_task(gateway.seal(request_to(KEYS["a"])))
        await eventually(lambda: "POST /v1/sealed" in enclaves["a"].requests)
        for _ in range(3):
            assert (await gateway.seal(ENVELOPE)).body == b"b"
        busy.cancel()


@pytest.mark.parametrize(
    "body", [b"", b"SRQ", REQUEST[:-1], b"SRQ\x02" + REQUEST[4:], b"SRQ\x01\x00\x04" + REQUEST[6:], bytes(200_000)]
)
async def test_what_is_no_sealed_request_reaches_no_enclave(tmp_path: Path, body: bytes) -> None:
    async with pair(tmp_path) as (gateway, enclaves):
        assert (await gateway.seal(body)).problem is Problem.REJECTED
        for enclave in enclaves.values():
            assert all(request.startswith("GET /v1/attestation?nonce=") for request in enclave.requests)


class Clock:
    at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


@asynccontextmanager
async def one(folder: Path) -> AsyncIterator[tuple[Router, Clock]]:
    settings, clock = Settings(enclaves_in(folder)), Clock()
    enclave = Enclave(1, settings.enclaves[0], settings, Trust.load(settings), None)
    async with enclave.opened():
        yield Router(Fleet([enclave]), clock), clock


async def test_the_keys_of_a_new_boot_are_found_at_the_next_look(tmp_path: Path) -> None:
    enclave = FakeEnclave(holding(KEY))
    async with enclave_at(tmp_path / "api", enclave), one(tmp_path) as (router, clock):
        await router.route(REQUEST)
        enclave.handlers |= holding(b"another")
        clock.at_s += 0.99
        with pytest.raises(StaleKey):
            await router.route(request_to(b"another"))
        clock.at_s += 0.01
        assert (await router.route(request_to(b"another"))).number == 1
        clock.at_s += 1
        with pytest.raises(StaleKey):
            await router.route(REQUEST)
    assert looks(enclave) == 3


async def test_a_failed_look_is_forgotten_at_the_next(tmp_path: Path) -> None:
    async with one(tmp_path) as (router, clock):
        with pytest.raises(EnclaveUnreachable):
            await router.route(REQUEST)
        async with enclave_at(tmp_path / "api", FakeEnclave(holding(KEY))):
            with pytest.raises(EnclaveUnreachable):
                await router.route(REQUEST)
            clock.at_s += 1
            assert (await router.route(REQUEST)).number == 1


async def test_a_client_that_leaves_during_a_look_does_not_spoil_it_for_good(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def silent(exchange: Exchange) -> None:
        asked.set()
        await exchange.disconnected()

    enclave = FakeEnclave({**holding(KEY), "GET /v1/evidence": silent})
    async with enclave_at(tmp_path / "api", enclave), one(tmp_path) as (router, clock):
        leaving = asyncio.create_task(router.route(REQUEST))
        await asked.wait()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        enclave.handlers |= holding(KEY)
        clock.at_s += 1
        assert (await router.route(REQUEST)).number == 1


async def test_a_routers_refusals_hold_no_content(tmp_path: Path) -> None:
    async with one(tmp_path) as (router, _):
        with pytest.raises(NoSealedRequest, match=r"^expected the head of a sealed request, got something else$"):
            await router.route(b"canary")
