"""Whose turn it is, where callers want more at a time than an enclave takes: who has the least in it comes first.

The enclave knows no callers (review R25), and a gateway that starved one could as well drop its requests. So sharing
out is done here, by network address. It promises nothing to those who come from one address, as behind a balancer.
"""

import asyncio
import ipaddress
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Scope

from parent.errors import EnclaveBusy

_IPV6_PREFIX = 64
"""What one caller can have all addresses of."""


def caller_of(address: str) -> str:
    """The name by which the one who calls from there takes turns."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    return str(ipaddress.ip_network((known, _IPV6_PREFIX), strict=False))


def caller_in(scope: Scope) -> str:
    """The caller of a request."""
    address, _ = scope.get("client") or ("", 0)
    return caller_of(address)


class Turns:
    """`places` requests at a time; the others wait in a queue for each caller.

    A place goes to who has the fewest, of several such to each in turn. So whoever has none goes next but for one
    request of each of the others who have none: also when it gave up waiting before, and came back.
    """

    def __init__(self, places: int, *, max_waiting: int, patience_s: float) -> None:
        """`max_waiting` requests wait, at most `patience_s` seconds each."""
        self._free, self._max_waiting, self._patience_s = places, max_waiting, patience_s
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}  # by caller, in the order of their turns
        self._held = Counter[str]()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._queues.values()))

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Hold one of the places within the block. Raises EnclaveBusy instead of waiting for too long."""
        if self._free:
            self._free -= 1
            self._held[caller] += 1
        else:
            await self._wait(caller)
        try:
            yield
        finally:
            self._pass_on(caller)

    async def _wait(self, caller: str) -> None:
        self._make_room(caller)
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(caller, deque()).append(turn)
        try:
            async with asyncio.timeout(self._patience_s):
                await turn
        except BaseException as error:
            self._leave(caller, turn)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on(caller)  # it came too late
            if isinstance(error, TimeoutError):
                raise EnclaveBusy(f"expected a turn within {self._patience_s} s, got none") from None
            raise

    def _make_room(self, caller: str) -> None:
        """Send away the last one of the longest queue, or the one who comes if that is its own."""
        if self.waiting < self._max_waiting:
            return
        full = EnclaveBusy(f"expected at most {self._max_waiting} requests to wait, got one more")
        longest = max(self._queues.values(), key=len)
        if len(longest) <= len(self._queues.get(caller, ())) + 1:
            raise full
        if not (last := longest.pop()).done():
            last.set_exception(full)

    def _pass_on(self, former: str) -> None:
        """Give the place of this caller to the one whose turn it is; of equals, all others come before it next time."""
        self._held[former] -= 1
        if not self._held[former]:
            del self._held[former]
        while self._queues:
            caller = min(self._queues, key=lambda each: self._held[each])
            queue = self._queues.pop(caller)
            turn = queue.popleft()
            if queue:
                self._queues[caller] = queue
            if not turn.done():  # done is who is just leaving
                self._held[caller] += 1
                turn.set_result(None)
                return
        self._free += 1

    def _leave(self, caller: str, turn: "asyncio.Future[None]") -> None:
        queue = self._queues.get(caller, deque())
        if turn in queue:
            queue.remove(turn)
        if not queue:
            self._queues.pop(caller, None)
