"""The synchronous client: the same answers, and nothing left running."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiohttp import web

from attestation.anchors import SimulatedTrustAnchor
from strongroom.client.errors import AnswerTruncated, AttestationRefused, ClientClosed, TimedOut
from strongroom.client.loop_thread import LoopThread
from strongroom.client.sync import Client
from strongroom.protocol.constants import PATH_EVIDENCE, PATH_SEALED
from strongroom.protocol.payloads import Span
from strongroom.protocol.tensors import Tensor
from strongroom.simulator.pki import SimulatedPKI
from tests.client.fake_enclave import PIECES, FakeEnclave
from tests.client.fake_gateway import FakeGateway

TEXT = "".join(PIECES)


@pytest.fixture
def served(pki: SimulatedPKI) -> Iterator[tuple[FakeGateway, LoopThread]]:
    loop = LoopThread()
    gateway = loop.run(_started(FakeEnclave(pki)))
    yield gateway, loop
    loop.run(gateway.stop())
    loop.close()


@pytest.fixture
def gateway(served: tuple[FakeGateway, LoopThread]) -> FakeGateway:
    return served[0]


@pytest.fixture
def client(gateway: FakeGateway, anchor: SimulatedTrustAnchor) -> Iterator[Client]:
    with Client(
        gateway.url, policy=gateway.enclave.policy(), anchor=anchor, allow_simulated=True, timeout_s=60.0
    ) as client:
        yield client


def test_every_call(client: Client) -> None:
    assert client.chat("Where?").text == TEXT
    assert client.complete("Where").text == TEXT
    assert list(client.complete("Where", stream=True)) == PIECES
    assert client.embed(["a"]) == [[1.0, 2.0]]
    assert client.classify(["a"]) == [{"good": 0.75, "bad": 0.25}]
    assert client.tag(["a"]) == [[Span(0, 1, "first", 0.5)]]
    tensor = Tensor("int8", [1], b"1")
    assert client.infer("m", {"x": tensor}) == {"x": tensor}
    assert client.describe("m").task == "infer"
    assert client.status().anchor.simulated


def test_a_stream_is_a_plain_iterator(client: Client) -> None:
    stream = client.chat("Where?", stream=True)
    assert iter(stream) is stream
    assert next(stream) == PIECES[0]
    with pytest.raises(AnswerTruncated):
        _ = stream.answer
    assert list(stream) == PIECES[1:]
    assert stream.answer.text == TEXT


def test_errors_come_through(gateway: FakeGateway) -> None:
    with Client(gateway.url, policy=gateway.enclave.policy()) as client, pytest.raises(AttestationRefused):
        client.chat("Where?", model="m")


def test_a_slow_enclave(gateway: FakeGateway, anchor: SimulatedTrustAnchor) -> None:
    gateway.faults[PATH_SEALED] = gateway.stall
    policy = gateway.enclave.policy()
    with (
        Client(gateway.url, policy=policy, anchor=anchor, allow_simulated=True, timeout_s=0.3) as client,
        pytest.raises(TimedOut),
    ):
        client.chat("Where?")


def test_leaving_a_stream_closes_its_connection(client: Client, served: tuple[FakeGateway, LoopThread]) -> None:
    gateway, loop = served
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    with client.chat("Where?", stream=True) as stream:
        assert next(stream) == PIECES[0]
    loop.run(_hung_up(gateway))


def test_a_stream_can_be_closed_while_another_thread_reads_it(
    client: Client, served: tuple[FakeGateway, LoopThread]
) -> None:
    gateway, loop = served
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    stream = client.chat("Where?", stream=True)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(list, stream)
        loop.run(_stalled(gateway))
        time.sleep(0.1)  # for what was sent before to be read
        stream.close()
        with pytest.raises(AnswerTruncated):
            reading.result(5)
    loop.run(_hung_up(gateway))
    stream.close()
    with pytest.raises(AnswerTruncated):
        next(stream)


def test_many_threads_share_one_client_and_one_attestation(client: Client, gateway: FakeGateway) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.chat("Where?", model="m").text, range(24)))
    assert set(answers) == {TEXT}
    assert gateway.count(PATH_EVIDENCE) == 1


def test_an_interruption_cancels_the_call(client: Client, served: tuple[FakeGateway, LoopThread]) -> None:
    gateway, loop = served

    async def interrupt(request: web.BaseRequest) -> web.StreamResponse:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return await gateway.stall(request)

    gateway.faults[PATH_SEALED] = interrupt
    with pytest.raises(KeyboardInterrupt):
        client.chat("Where?")
    loop.run(_hung_up(gateway))
    gateway.faults.clear()
    assert client.chat("Where?").text == TEXT


def test_closing_leaves_nothing_running(gateway: FakeGateway, anchor: SimulatedTrustAnchor) -> None:
    before = set(threading.enumerate())
    client = Client(gateway.url, policy=gateway.enclave.policy(), anchor=anchor, allow_simulated=True)
    stream = client.chat("Where?", stream=True)
    assert next(stream) == PIECES[0]
    client.close()
    assert set(threading.enumerate()) <= before
    client.close()
    stream.close()
    with pytest.raises(ClientClosed):
        client.chat("Where?")
    with pytest.raises(ClientClosed):
        next(stream)


def test_closing_ends_a_call_of_another_thread(
    served: tuple[FakeGateway, LoopThread], anchor: SimulatedTrustAnchor
) -> None:
    gateway, loop = served
    gateway.faults[PATH_EVIDENCE] = gateway.stall
    client = Client(gateway.url, policy=gateway.enclave.policy(), anchor=anchor, allow_simulated=True)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.chat, "Where?", model="m")
        loop.run(_stalled(gateway))
        client.close()
        with pytest.raises(ClientClosed):
            call.result(5)


async def _started(enclave: FakeEnclave) -> FakeGateway:
    gateway = FakeGateway(enclave)
    await gateway.start()
    return gateway


async def _hung_up(gateway: FakeGateway) -> None:
    await asyncio.wait_for(gateway.gone.wait(), 5)


async def _stalled(gateway: FakeGateway) -> None:
    await asyncio.wait_for(gateway.stalled.wait(), 5)
