"""One thread's events: whose file is ready, and what to call then."""

import select
from collections.abc import Callable
from dataclasses import dataclass

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
HANGUP = select.EPOLLHUP
"""Nothing asked for but the end, which is always told."""

Callback = Callable[[int], None]
"""Called with the events that came."""


@dataclass
class _Watched:
    events: int
    callback: Callback


class Loop:
    """Files and what to call when they are ready, level-triggered."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._watched: dict[int, _Watched] = {}
        self._running = True

    def watch(self, fd: int, events: int, callback: Callback) -> None:
        """Call `callback` whenever one of `events` holds for `fd`; replaces what was watched there."""
        known = self._watched.get(fd)
        if known is None:
            self._poll.register(fd, events)
            self._watched[fd] = _Watched(events, callback)
            return
        if known.events != events:
            self._poll.modify(fd, events)
        known.events, known.callback = events, callback

    def forget(self, fd: int) -> None:
        """Watch `fd` no longer, before it is closed; nothing happens if it was not."""
        if self._watched.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def run(self) -> None:
        """Serve until `stop`."""
        while self._running:
            self.step()

    def step(self, timeout_s: float | None = None) -> None:
        """Wait for the next events and serve them."""
        ready = [(fd, self._watched[fd], events) for fd, events in self._poll.poll(timeout_s)]
        for fd, watched, events in ready:
            if self._watched.get(fd) is watched:  # an earlier callback may have closed it, and opened another there
                watched.callback(events)

    def stop(self) -> None:
        """End `run` after this round."""
        self._running = False

    def close(self) -> None:
        """Release what the loop holds; the files stay their owners'."""
        self._poll.close()
