"""Names to addresses by the system's resolver, which can be silent for half a minute without harm to anything else."""

import asyncio
import contextlib
import socket
import threading

_Lookup = asyncio.Future[list[str]]


class Resolver:
    """Asks anew for every connection, but once at a time for each destination: a dead name server holds one thread."""

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], _Lookup] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses, in the system's order; raise OSError. A caller that gives up leaves the lookup to others."""
        lookup = self._lookups.get((host, port)) or self._begin(host, port)
        return await asyncio.shield(lookup)

    def _begin(self, host: str, port: int) -> _Lookup:
        lookup: _Lookup = asyncio.get_running_loop().create_future()
        # A daemon, unlike the event loop's own threads: a silent name server must not hold up the end of the process.
        thread = threading.Thread(target=_resolve, args=(host, port, lookup), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError("no thread to resolve a name with") from error
        self._lookups[host, port] = lookup
        lookup.add_done_callback(lambda _: self._end(host, port))
        return lookup

    def _end(self, host: str, port: int) -> None:
        # Looking at the error tells asyncio that it was seen, also when everyone has given up.
        self._lookups.pop((host, port)).exception()


def _resolve(host: str, port: int, lookup: _Lookup) -> None:
    """In a thread: answer `lookup`."""
    loop = lookup.get_loop()
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        try:
            found = [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError as error:
            loop.call_soon_threadsafe(lookup.set_exception, error)
        else:
            loop.call_soon_threadsafe(lookup.set_result, found)
