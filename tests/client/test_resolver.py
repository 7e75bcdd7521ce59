"""Names that resolve late, never, or to nothing: no deadline is exceeded for them."""

import asyncio
import socket
import time
from typing import Any

import pytest

from attestation.policy import UnsafeAnyMeasurement
from strongroom.client.errors import TimedOut, Unreachable
from strongroom.client.resolver import Resolver
from strongroom.client.sync import Client

SLOW_S = 3.0


def test_a_resolver_that_hangs_delays_neither_the_error_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> None:
        time.sleep(SLOW_S)
        raise socket.gaierror(socket.EAI_AGAIN, "late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    with Client("http://slow.invalid", policy=UnsafeAnyMeasurement(), timeout_s=0.2) as client, pytest.raises(TimedOut):
        client.status()
    assert time.monotonic() - started < SLOW_S / 2


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_NONAME, "none"), UnicodeError("label too long")])
def test_a_name_of_nobody(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with Client("http://none.invalid", policy=UnsafeAnyMeasurement()) as client, pytest.raises(Unreachable):
        client.status()


def test_a_name_of_this_machine() -> None:
    found = asyncio.run(Resolver().resolve("localhost", 80, socket.AF_UNSPEC))
    assert {(each["hostname"], each["port"]) for each in found} == {("localhost", 80)}
    assert {each["host"] for each in found} <= {"127.0.0.1", "::1"}
