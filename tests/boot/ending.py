"""How a test ends an enclave from outside: by a step that is out of order."""

from contextlib import suppress

from strongroom.transport.addresses import Address
from strongroom.transport.sockets import dial


def step_out_of_order(control: Address) -> None:
    """Configure what is configured; the enclave has no more to say to that than its end."""
    with dial(control, 10) as connection, suppress(ConnectionError):
        connection.sendall(b"PUT /boot/configuration HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nagain")
        while connection.recv(4096):
            pass
