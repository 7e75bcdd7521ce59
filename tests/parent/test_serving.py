"""The gateway's listening socket."""

import socket

from parent.serving import public_listener
from parent.settings import EnclaveAddresses, Settings
from strongroom.transport.addresses import parse_address


def test_no_answer_waits_for_an_acknowledgement() -> None:
    settings = Settings((EnclaveAddresses(parse_address("vsock:16:7001")),), port=0)
    with (
        public_listener(settings) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
