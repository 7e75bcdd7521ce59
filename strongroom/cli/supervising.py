"""Running a supervisor in the foreground: signals end it in order, and each change of an enclave is a line."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import msgspec

from strongroom.cli.output import print_json
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from parent.lifecycle.folder import StateFolder
    from parent.lifecycle.record import Record
    from parent.lifecycle.supervisor import Orders

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(
    folder: "StateFolder",
    orders: "Orders",
    *,
    as_json: bool,
    ready: Callable[[], None],
    beside: Callable[[], None] = lambda: None,
) -> None:
    """Run the enclaves until a signal or `enclave stop` ends them; the folder must be held. Raises LifecycleError."""
    from parent.lifecycle.supervisor import Says, Supervisor

    # As `nohup` and a shell's background leave them, some are ignored.
    former = {number: each for number in _ENDING if (each := signal.getsignal(number)) is not signal.SIG_IGN}

    async def run() -> None:
        says = Says(_print_as_json if as_json else _print, ready, beside, _print_unrecorded)
        supervisor = Supervisor(folder, orders, says, os.getpid())
        for number in former:
            asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
        await supervisor.run()

    try:
        asyncio.run(run())
    finally:
        for number, handler in former.items():  # the loop leaves the system's own
            signal.signal(number, handler)


def said_of(record: "Record") -> str:
    """Where one enclave is, in words."""
    if record.state in ("waiting", "given-up"):
        return f"{record.state}: {record.ending}"
    if record.state == "configured":
        return f"{record.state}: {record.step}" + (f", {record.readiness}" if record.step == "ready" else "")
    return f"{record.state}: {record.readiness}" if record.state in ("ready", "stale") else str(record.state)


def _print(record: "Record") -> None:
    click.echo(f"  {click.style(f'enclave {record.number}', bold=True)}  {escaped(said_of(record))}", err=True)


def _print_unrecorded(error: OSError) -> None:
    reason = error.strerror or "it cannot be written"
    click.echo(f"  {click.style('status', bold=True)}     is out of date until its file is written: {reason}", err=True)


def _print_as_json(record: "Record") -> None:
    print_json({"event": "enclave", **msgspec.to_builtins(record)})
