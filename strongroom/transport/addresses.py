"""Where the parts meet: vsock addresses in production, UNIX sockets standing in for them on one machine.

An enclave that an emulator boots has vsock inside; outside, its ports lie behind UNIX sockets.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_VSOCK = re.compile(r"vsock:(any|[0-9]{1,10}):([0-9]{1,10})")
_VSOCK_UNIX = re.compile(r"vsock-unix:(.+):([0-9]{1,10})", re.DOTALL)
_CID_ANY = 0xFFFFFFFF
_MAX_PATH_BYTES = 107
"""`sun_path` without the NUL at its end (unix(7))."""
PARENT_CID = 3
"""The parent instance as seen from an enclave (AWS Nitro Enclaves user guide, "vsock")."""


@dataclass(frozen=True)
class VsockAddress:
    """A context id and a port; `cid` is VMADDR_CID_ANY for a listener that takes any."""

    cid: int
    port: int

    def __str__(self) -> str:
        return f"vsock:{'any' if self.cid == _CID_ANY else self.cid}:{self.port}"


@dataclass(frozen=True)
class UnixAddress:
    """The path of a UNIX socket."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True)
class VsockUnixAddress:
    """A vsock port behind UNIX sockets, as Firecracker has it (docs/vsock.md).

    To connect to the guest's port is to say so on the socket at `path`; the host's own port is a socket beside it.
    """

    path: Path
    port: int

    def __str__(self) -> str:
        return f"vsock-unix:{self.path}:{self.port}"

    @property
    def host_port(self) -> UnixAddress:
        """Where the host listens for what the guest connects to."""
        return UnixAddress(Path(f"{self.path}_{self.port}"))


Address = VsockAddress | UnixAddress | VsockUnixAddress


def listen_any(port: int) -> VsockAddress:
    """The address on which an enclave listens: every CID, one port."""
    return VsockAddress(_CID_ANY, port)


def parse_address(text: str) -> Address:
    """`vsock:CID:PORT`, `vsock:any:PORT`, `unix:PATH` or `vsock-unix:PATH:PORT`; raise ValueError."""
    if match := _VSOCK.fullmatch(text):
        cid = _CID_ANY if match[1] == "any" else int(match[1])
        port = int(match[2])
        if cid <= _CID_ANY and port <= _CID_ANY:
            return VsockAddress(cid, port)
    elif text.startswith("unix:") and len(text) > len("unix:"):
        return UnixAddress(_checked(text.removeprefix("unix:")))
    elif (match := _VSOCK_UNIX.fullmatch(text)) and int(match[2]) <= _CID_ANY:
        return VsockUnixAddress(_checked(match[1]), int(match[2]))
    expected = "vsock:CID:PORT, vsock:any:PORT, unix:PATH or vsock-unix:PATH:PORT"
    raise ValueError(f"address: expected {expected}, got {text!r}")


def _checked(path: str) -> Path:
    """A path that the kernel takes as it stands: it reads no further than a NUL, and one in front is no file's name."""
    with suppress(UnicodeEncodeError):
        octets = os.fsencode(path)
        if len(octets) <= _MAX_PATH_BYTES and b"\0" not in octets:
            return Path(path)
    raise ValueError(f"address: expected a path of at most {_MAX_PATH_BYTES} bytes without a NUL, got {path!r}")
