"""What the processes of the host side share: their events, and room for their connections. Not in the image."""

import json
import resource
import sys


def emit(event: str, **fields: str | int | bool | None) -> None:
    """Write one event as a line of JSON to standard output: names, numbers, codes; never a body or a credential."""
    sys.stdout.write(json.dumps({"event": event, **fields}, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def allow_descriptors(needed: int) -> None:
    """Let this process open that many descriptors, or as many as the hard limit allows.

    Without one to spare asyncio cannot accept, and says so with a traceback for every place in the backlog.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
