"""One request to the enclave's control interface, as a hostile parent would write it."""

import http.client
import socket
from pathlib import Path


def step(
    path: Path, method: str, target: str, body: bytes = b"", *, announced_bytes: int | None = None
) -> tuple[int, bytes] | None:
    """Status and body of the answer; None when the enclave gave none."""
    length = len(body) if announced_bytes is None else announced_bytes
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + body)
        if announced_bytes is not None:
            return None
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
            return response.status, response.read()
        except (http.client.HTTPException, OSError):
            return None
