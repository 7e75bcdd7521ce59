"""How an enclave names its destination to the egress proxy: one line before the bytes.

    enclave → proxy    CONNECT kms.eu-west-1.amazonaws.com:443 LF
    proxy → enclave    OK LF        connected: everything after this line is the destination's
                       (closed)     refused or unreachable; the proxy gives no reason

The proxy is untrusted: the line protects nobody but the parent's network. TLS ends inside the enclave.
"""

import re
from typing import Final

ACCEPTED: Final = b"OK\n"
MAX_DESTINATION_BYTES: Final = 300

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter, so that no form of a numeric address (decimal, octal, 0x) is a name.
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?=[a-z]){_LABEL}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LINE = re.compile(rb"CONNECT ([\x21-\x7e]+)\n")


def encode_destination(host: str, port: int) -> bytes:
    """The line that asks for `host` (a lower-case DNS name) and TCP port; raise ValueError."""
    return f"CONNECT {host}:{check_port(check_name(host), str(port))}\n".encode()


def parse_destination(line: bytes) -> tuple[str, int]:
    """The host and port that a line asks for, its LF included; raise ValueError."""
    match = _LINE.fullmatch(line) if len(line) <= MAX_DESTINATION_BYTES else None
    if match is None:
        raise ValueError(f"egress: expected CONNECT HOST:PORT in at most {MAX_DESTINATION_BYTES} bytes")
    return split_destination(match[1].decode())


def split_destination(text: str) -> tuple[str, int]:
    """`HOST:PORT` with a lower-case DNS name and a port from 1 to 65535; raise ValueError."""
    host, colon, port = text.partition(":")
    if not colon:
        raise ValueError("egress: expected HOST:PORT, got no port")
    return check_name(host), check_port(host, port)


def check_name(host: str) -> str:
    """The host itself, if it is a lower-case DNS name without a trailing dot; raise ValueError."""
    if not _NAME.fullmatch(host):
        raise ValueError("egress: expected a lower-case DNS name, got something else, such as an address")
    return host


def check_port(host: str, port: str) -> int:
    """The port as a number; raise ValueError."""
    if not _PORT.fullmatch(port) or int(port) > 0xFFFF:
        raise ValueError(f"egress: expected a port from 1 to 65535 for {host}, got something else")
    return int(port)
