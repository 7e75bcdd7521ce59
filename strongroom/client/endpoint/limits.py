"""What a local endpoint takes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Those of one endpoint."""

    connections: int = 256
    body_bytes: int = 32 << 20
    """Twice a sealed request, for numbers are longer in JSON."""
    body_s: float = 30.0
    """From a request's head to the end of its body."""
    bodies_bytes: int = 128 << 20
    """Of all requests under way: to answer one takes several times the memory of its body."""
    idle_s: float = 15.0
    """Without a whole head of a request."""
    write_s: float = 30.0
    """Until a reader has taken the next piece of a stream, or a whole answer."""
    grace_s: float = 5.0
    """For what is under way at the end."""
