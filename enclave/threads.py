"""Threads that run before anybody needs them: where memory is short, none comes up any more."""

import threading
from concurrent.futures import ThreadPoolExecutor


def running_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool of so many threads, all of them up. Raises MemoryError unless all of them come up."""
    pool, meeting = ThreadPoolExecutor(threads, name), threading.Barrier(threads + 1)
    try:
        for _ in range(threads):
            pool.submit(meeting.wait)  # a thread that waits is not idle: each of these gets one of its own
        meeting.wait()
    except RuntimeError:
        meeting.abort()
        pool.shutdown(cancel_futures=True)
        raise MemoryError from None
    return pool
