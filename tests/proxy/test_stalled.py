"""The shape in which AWS's vsock-proxy hangs: its four workers held by clients that do nothing. Not timed."""

import asyncio
from pathlib import Path

import pytest

from proxy.egress import EgressLimits
from strongroom.transport.egress import ACCEPTED
from tests.proxy.bench import LINE, Bench, bench, destination, echo, eventually, flood, pinned
from tests.proxy.stalled import StalledClients

FLOOD = "flood.example"


async def good(at: Bench, number: int) -> bytes:
    enclave = await at.enclave()
    assert await enclave.ask(LINE + b"%d" % number) == ACCEPTED
    enclave.writer.write_eof()
    return await enclave.rest()


@pytest.mark.parametrize("stalled", [5, 300])
async def test_100_good_connections_pass_among_stalled_ones(tmp_path: Path, stalled: int) -> None:
    async with destination(echo) as kms, destination(flood) as flooding:
        rules = pinned(kms), pinned(flooding, FLOOD)
        async with bench(tmp_path, *rules, limits=EgressLimits()) as at:
            with StalledClients(at.address, FLOOD, 443) as clients:
                await asyncio.to_thread(clients.open, stalled)
                await eventually(lambda: at.proxy.counters.places.taken == stalled)
                await eventually(lambda: at.proxy.counters.inbound_bytes > 0)
                async with asyncio.timeout(20):
                    answers = await asyncio.gather(*(good(at, number) for number in range(100)))
                assert answers == [b"%d<end>" % number for number in range(100)]


async def test_256_connections_are_open_at_once(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port), limits=EgressLimits()) as at:
        enclaves = [await at.enclave() for _ in range(256)]
        assert [await enclave.ask() for enclave in enclaves] == [ACCEPTED] * 256
        for number, enclave in enumerate(enclaves):
            enclave.writer.write(b"%d" % number)
            enclave.writer.write_eof()
        assert [await enclave.rest() for enclave in enclaves] == [b"%d<end>" % number for number in range(256)]
