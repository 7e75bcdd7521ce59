"""Data keys of requests: unwrapped by KMS once, then kept for a time, a number of uses and in a number (review R7).

A key is found again only under the very bytes that KMS judged: ARN, encryption context and wrapped blob, none of them
malleable. While KMS cannot be had, what is kept is served until its time is over; nothing else is.
"""

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha384
from typing import Final

from enclave.errors import EnclaveError, KMSRefused, KMSUnreachable
from enclave.threads import running_pool
from strongroom.protocol.canonical import encode
from strongroom.protocol.configuration import KeyEntry, Limits, Windows

RETRY_MS: Final = 1000
"""A key that could not be had is asked for again after this long at the earliest."""
_LABEL: Final = "strongroom data key v1"
_THREADS: Final = 4  # calls to KMS at a time, apart from the threads that keep the clock

Unwrap = Callable[[KeyEntry, dict[str, str], bytes], bytes]
"""As KMSClient.unwrap; it blocks."""


class DataKeyRefused(EnclaveError):
    """KMS refused a request's data key, or its answer was refused: the request fails, the enclave goes on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def data_key_name(arn: str, context: Mapping[str, str], wrapped: bytes) -> bytes:
    """48 bytes that name one wrapped data key under one KMS key and one encryption context."""
    return sha384(encode([_LABEL, arn, dict(context), wrapped])).digest()


class DataKeys:
    """Gives data keys by what wraps them. Use it on one event loop; `at_ms` is the enclave's own time."""

    def __init__(self, unwrap: Unwrap, limits: Limits, windows: Windows) -> None:
        self._unwrap = unwrap
        self._kept = _Kept(limits.data_keys, limits.data_key_uses, windows.data_key_ttl_s * 1000)
        self._failures = _Failures(limits.data_keys)
        self._flights: dict[bytes, asyncio.Task[None]] = {}
        self._waiting, self._most_waiting = 0, max(1, limits.max_in_flight // 2)
        self._threads = running_pool(_THREADS, "kms")

    async def get(self, entry: KeyEntry, context: Mapping[str, str], wrapped: bytes, at_ms: int) -> bytes:
        """The 32 bytes of a data key, from what is kept or from KMS; this is one use of it.

        Of the requests that an enclave takes at a time half may wait for KMS, so that those who need none of it are
        answered however slow it is. Raises DataKeyRefused when the key may not be had, and KMSUnreachable when it
        cannot be had now.
        """
        if entry.purpose != "request":
            raise DataKeyRefused("wrong-purpose", f"key {entry.id}: expected one of purpose request")
        name = data_key_name(entry.arn, context, wrapped)
        while (data_key := self._kept.use(name, at_ms)) is None:
            if self._waiting >= self._most_waiting:
                raise KMSUnreachable("data key: expected few requests to wait for KMS, got too many; try again")
            if name not in self._flights:
                self._failures.raise_recent(name, at_ms)
                self._launch(name, functools.partial(self._unwrap, entry, dict(context), wrapped), at_ms)
            await self._landed(name)
        return data_key

    def close(self) -> None:
        """Forget every key; calls under way are not waited for."""
        self._kept = _Kept(0, 0, 0)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _landed(self, name: bytes) -> None:
        """Wait for the call that is under way; a caller that goes away leaves it to the others."""
        self._waiting += 1
        try:
            await asyncio.shield(self._flights[name])
        finally:
            self._waiting -= 1

    def _launch(self, name: bytes, unwrap: Callable[[], bytes], at_ms: int) -> None:
        self._flights[name] = asyncio.create_task(self._fetch(name, unwrap, at_ms))
        self._flights[name].add_done_callback(functools.partial(self._land, name))

    def _land(self, name: bytes, flight: "asyncio.Task[None]") -> None:
        del self._flights[name]
        if not flight.cancelled():
            flight.exception()  # seen, even if every caller has gone

    async def _fetch(self, name: bytes, unwrap: Callable[[], bytes], at_ms: int) -> None:
        try:
            data_key = await asyncio.get_running_loop().run_in_executor(self._threads, unwrap)
        except KMSRefused as refused:
            raise self._failures.add(name, DataKeyRefused(refused.code, str(refused)), at_ms) from None
        except Exception as error:
            self._failures.add(name, error, at_ms)
            raise
        self._kept.add(name, data_key, at_ms)


@dataclass(slots=True)
class _KeptKey:
    data_key: bytes = field(repr=False)
    until_ms: int
    uses_left: int


class _Kept:
    """Data keys by name; the least recently used one leaves when there are too many."""

    def __init__(self, capacity: int, uses: int, ttl_ms: int) -> None:
        self._capacity, self._uses, self._ttl_ms = capacity, uses, ttl_ms
        self._keys: OrderedDict[bytes, _KeptKey] = OrderedDict()

    def use(self, name: bytes, at_ms: int) -> bytes | None:
        kept = self._keys.get(name)
        if kept is None or at_ms >= kept.until_ms:
            return None
        kept.uses_left -= 1
        if kept.uses_left:
            self._keys.move_to_end(name)
        else:
            del self._keys[name]
        return kept.data_key

    def add(self, name: bytes, data_key: bytes, at_ms: int) -> None:
        for over in [old for old, kept in self._keys.items() if at_ms >= kept.until_ms]:
            del self._keys[over]
        self._keys[name] = _KeptKey(data_key, at_ms + self._ttl_ms, self._uses)
        while len(self._keys) > self._capacity:
            self._keys.popitem(last=False)


class _Failures:
    """The failures of the last second, by name; when they are too many, nothing new is asked of KMS."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._failed: OrderedDict[bytes, tuple[int, Exception]] = OrderedDict()

    def add(self, name: bytes, error: Exception, at_ms: int) -> Exception:
        self._failed[name] = (at_ms, error)
        return error

    def raise_recent(self, name: bytes, at_ms: int) -> None:
        while self._failed and at_ms - next(iter(self._failed.values()))[0] >= RETRY_MS:
            self._failed.popitem(last=False)
        if name in self._failed:
            raise self._failed[name][1].with_traceback(None)
        if len(self._failed) >= self._capacity:
            raise KMSUnreachable("data key: expected few failures a second, got too many; try again")
