"""Boot steps that wait for KMS are given all the time that the enclave gives itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, cast

from parent.control import Control
from parent.delivery import SealedModel
from parent.link import EnclaveLink


class _Link:
    """Answers at once, and remembers how long it would have waited."""

    def __init__(self) -> None:
        self.timeouts_s: dict[str, float] = {}

    @asynccontextmanager
    async def exchange(self, method: str, path: str, *, timeout_s: float, **_: Any) -> AsyncIterator[SimpleNamespace]:
        self.timeouts_s[path] = timeout_s
        yield SimpleNamespace(status=HTTPStatus.NO_CONTENT)


def test_a_step_at_a_slow_kms_is_not_sent_twice() -> None:
    """16 keys, three calls each, three attempts of 10 s each, and a second before each retry."""
    link = _Link()
    control = Control(cast(EnclaveLink, link), step_timeout_s=10)
    model = cast(SealedModel, SimpleNamespace(id="m", head=SimpleNamespace(to_bytes=bytes)))
    asyncio.run(control.configure(b""))
    asyncio.run(control.check_key())
    asyncio.run(control.release(model))
    configuration, key_check, head = link.timeouts_s.values()
    assert configuration == 10
    assert min(key_check, head) >= 16 * 3 * (3 * 10 + 2)
