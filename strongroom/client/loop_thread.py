"""A private event loop in a thread of its own, for the synchronous client."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from strongroom.client.errors import ClientClosed

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for synchronous callers, from any thread, until `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="strongroom", daemon=True)
        self._thread.start()
        self._started.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for `work`. An interruption of the wait (Ctrl-C) cancels it. Raises ClientClosed once closed."""
        # Submitted under the lock, it runs before the loop stops: the end of the loop then cancels it.
        with self._lock:
            if self._closed:
                work.close()
                raise ClientClosed
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ClientClosed from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what still runs and wait for the thread's end. Closing twice is no error."""
        with self._lock:
            if not self._closed:
                self._loop.call_soon_threadsafe(self._stop.set)
            self._closed = True
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        await self._stop.wait()
