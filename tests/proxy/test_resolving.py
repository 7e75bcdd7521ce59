import asyncio
import socket
import subprocess
import sys
import threading
import time

import pytest

from proxy.resolving import Resolver
from tests.proxy.bench import eventually, nothing_unhandled

FOUND = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2600::1", 443, 0, 0))]


class SlowResolver:
    """In place of getaddrinfo: every lookup waits for `answered`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: type[OSError] | None = None) -> None:
        self.calls, self.answered, self._error = 0, threading.Event(), error
        monkeypatch.setattr(socket, "getaddrinfo", self._getaddrinfo)

    def _getaddrinfo(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        self.calls += 1
        self.answered.wait(5)
        if self._error:
            raise self._error("unknown")
        return list(FOUND)


async def test_one_lookup_at_a_time_answers_all_who_ask_and_the_next_asks_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system, resolver = SlowResolver(monkeypatch), Resolver()
    asking = [asyncio.create_task(resolver.addresses("kms.example", 443)) for _ in range(50)]
    await eventually(lambda: system.calls == 1)
    system.answered.set()
    assert await asyncio.gather(*asking) == [["2600::1"]] * 50
    assert system.calls == 1
    await resolver.addresses("kms.example", 443)
    assert system.calls == 2


async def test_who_gives_up_leaves_the_answer_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    system, resolver = SlowResolver(monkeypatch), Resolver()
    waiting = asyncio.create_task(resolver.addresses("kms.example", 443))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await resolver.addresses("kms.example", 443)
    system.answered.set()
    assert await waiting == ["2600::1"]
    assert system.calls == 1


async def test_an_error_that_nobody_waits_for_any_more_is_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    system, resolver = SlowResolver(monkeypatch, socket.gaierror), Resolver()
    async with nothing_unhandled():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await resolver.addresses("kms.example", 443)
        system.answered.set()
        await eventually(lambda: not resolver._lookups)
    with pytest.raises(socket.gaierror):
        await resolver.addresses("kms.example", 443)


async def test_no_thread_is_an_unreachable_destination(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(OSError, match="no thread"):
            await Resolver().addresses("kms.example", 443)


def test_a_silent_name_server_does_not_hold_up_the_end_of_the_process() -> None:
    code = """
import asyncio, socket, time
from proxy.resolving import Resolver
socket.getaddrinfo = lambda *_, **__: time.sleep(60)
async def main():
    try:
        async with asyncio.timeout(0.05):
            await Resolver().addresses("kms.example", 443)
    except TimeoutError:
        print("given up")
asyncio.run(main())
"""
    started = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("given up\n", "", 0)
    assert time.monotonic() - started < 30
