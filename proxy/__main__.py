"""`python -m proxy --listen ADDRESS --allow HOST:PORT …`: the enclave's way out, to listed destinations only."""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Sequence
from ipaddress import ip_network

from proxy.counters import Counters
from proxy.egress import EgressLimits, EgressProxy
from proxy.rules import AllowList, Rule
from strongroom.process import allow_descriptors, emit
from strongroom.transport.addresses import Address, parse_address
from strongroom.transport.sockets import listen

_REPORT_S = 60.0
_OTHER_DESCRIPTORS = 256
"""Beside two for each connection: the backlog that asyncio accepts in one turn, and the process's own."""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proxy", description=__doc__)
    parser.add_argument("--listen", type=parse_address, required=True, metavar="vsock:any:PORT|unix:PATH")
    parser.add_argument("--allow", type=Rule.parse, action="append", required=True, metavar="HOST:PORT[=ADDRESS:PORT]")
    parser.add_argument("--allow-private", type=ip_network, action="append", default=[], metavar="CIDR")
    parser.add_argument("--max-connections", type=int, default=EgressLimits.max_connections, metavar="N")
    return parser.parse_args(argv)


async def _run(address: Address, proxy: EgressProxy) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with proxy.serving(listen(address)):
        emit("listening", address=str(address))
        await _report_until(stop, proxy.counters)


async def _report_until(stop: asyncio.Event, counters: Counters) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _REPORT_S)
        counters.report()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; exit with 2 and a usage line when an argument cannot be used."""
    arguments = _arguments(argv)
    allow_list = AllowList(tuple(arguments.allow), tuple(arguments.allow_private))
    limits = EgressLimits(max_connections=arguments.max_connections)
    allow_descriptors(2 * limits.max_connections + _OTHER_DESCRIPTORS)
    asyncio.run(_run(arguments.listen, EgressProxy(allow_list, limits)))


if __name__ == "__main__":
    main()
