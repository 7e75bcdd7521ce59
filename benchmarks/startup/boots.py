"""One boot after another, each stage of it timed from outside."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from benchmarks.startup.surroundings import Surroundings
from enclave.addresses import Addresses
from parent.control import Control
from parent.errors import EnclaveUnreachable, GatewayError
from parent.evidence import fetch_evidence
from parent.link import EnclaveLink
from parent.settings import DEFAULT_WEIGHT_STREAMS
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.simulator.sockets import enclave_addresses

STAGES = ("boot", "imports", "configure", "attest", "key check", "key release", "model load", "ready")
"""In this order; their sum is the cold start."""

_ROOT = Path(__file__).parents[2]
_DEADLINE_S = 60.0
_POLL_S = 0.005

Step = Callable[[], Awaitable[object]]


class BootFailed(Exception):
    """An enclave did not become ready; the message names the stage that it did not pass."""


def boot(surroundings: Surroundings, number: int, environment: Mapping[str, str]) -> dict[str, float]:
    """Seconds of each stage of a new enclave process, which is ended afterwards; no two may have the same number.

    Raises BootFailed.
    """
    seen = [time.monotonic()]
    with _process(surroundings.state, number, environment) as process:
        try:
            seen.append(_python_began(process))
            asyncio.run(_provision(surroundings, enclave_addresses(surroundings.state, number), seen))
        except (GatewayError, TimeoutError, ValueError, ExceptionGroup) as error:
            stage = STAGES[len(seen) - 1]
            raise BootFailed(f"{stage}: expected an enclave that passes it, got {type(error).__name__}") from None
    return {stage: after - before for stage, (before, after) in zip(STAGES, pairwise(seen), strict=True)}


def _python_began(process: subprocess.Popen[bytes]) -> float:
    assert process.stdout is not None
    return int(process.stdout.readline()) / 1e9


@contextmanager
def _process(state: Path, number: int, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "benchmarks.startup.enclave", f"--number={number}", f"--parent-role={PARENT_ROLE}"]
    command += [f"--state={state}", f"--sockets={state}"]
    with subprocess.Popen(command, cwd=_ROOT, env=dict(environment), stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()


async def _provision(surroundings: Surroundings, addresses: Addresses, seen: list[float]) -> None:
    """Take the steps one by one, each once, and append to `seen` when it was done."""
    async with (
        EnclaveLink(addresses.control, timeout_s=_DEADLINE_S, max_exchanges=DEFAULT_WEIGHT_STREAMS) as link,
        EnclaveLink(addresses.api, timeout_s=_DEADLINE_S, max_exchanges=1) as api,
    ):
        for step in _steps(surroundings, Control(link, step_timeout_s=_DEADLINE_S), api):
            await step()
            seen.append(time.monotonic())


def _steps(surroundings: Surroundings, control: Control, api: EnclaveLink) -> tuple[Step, ...]:
    delivery = surroundings.delivery
    [model] = delivery.models

    async def check_key() -> None:
        await control.push_credentials(surroundings.credentials)
        await control.check_key()

    async def load() -> None:
        async with asyncio.TaskGroup() as streams:
            for segment in model.segments(DEFAULT_WEIGHT_STREAMS):
                streams.create_task(control.load(model, segment))

    return (
        lambda: _answer(control.standing),
        lambda: control.configure(delivery.configuration),
        lambda: control.catalogue(delivery.catalogue),
        check_key,
        lambda: control.release(model),
        load,
        lambda: _answer(lambda: fetch_evidence(api)),
    )


async def _answer(ask: Step) -> None:
    """Ask until somebody listens."""
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            try:
                await ask()
                return
            except EnclaveUnreachable:
                await asyncio.sleep(_POLL_S)
