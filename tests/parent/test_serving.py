"""The gateway's listening socket, and who else hears of requests."""

import socket
from pathlib import Path

import pytest

from parent.serving import public_listener
from parent.settings import EnclaveAddresses, Settings
from strongroom.transport.addresses import parse_address
from tests.parent.support import gateway_to


def test_no_answer_waits_for_an_acknowledgement() -> None:
    settings = Settings((EnclaveAddresses(parse_address("vsock:16:7001")),), port=0)
    with (
        public_listener(settings) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_no_variable_makes_the_framework_report_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere")
    async with gateway_to(tmp_path):
        assert "telemetry" not in caplog.text  # it would have warned of that endpoint
