"""The dev KMS answers at once: a body that waits for the head's acknowledgement would cost every call 40 ms."""

import socket
from pathlib import Path

import pytest
import uvicorn

from strongroom.simulator.kms.server import serve


def test_no_answer_waits_for_an_acknowledgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held_back: list[bool] = []

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        for listener in sockets:
            with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
                held_back.append(not accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(uvicorn.Server, "run", run)
    serve(tmp_path, 0, tls=False)
    assert held_back == [False]
