"""What form the enclaves of an appliance have: processes with the software NSM, or machines that boot an EIF."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from attestation.eif.reader import EIF
from enclave.addresses import Addresses
from strongroom.simulator.image import image_pcrs
from strongroom.simulator.part import Part
from strongroom.simulator.sockets import enclave_addresses, machine_addresses, numbered

_PROCESS_S, _MACHINE_S = 20.0, 240.0


class EnclaveForm(Protocol):
    """`classical` says whether the deployment must allow a classical key exchange with the dev KMS beside it.

    `console` is the name of the log file that holds what the first one's console shows.
    """

    @property
    def classical(self) -> bool: ...

    @property
    def console(self) -> str: ...

    def pcrs(self) -> Mapping[int, bytes]:
        """PCR0 to PCR2, which the deployment's policy lists."""

    def addresses(self, folder: Path, number: int) -> Addresses:
        """Where the enclave of that number listens."""

    def command(self, number: int, parent_role: str) -> list[str]:
        """The Python module that is the enclave, and its arguments, to be run in the state folder."""

    def wait_started(self, part: Part, number: int) -> None:
        """Return when it can be configured. Raises PartFailed."""


class ProcessForm:
    """The image's application as a process."""

    classical, console = False, "enclave"

    def pcrs(self) -> Mapping[int, bytes]:
        """Of the measured modules that are installed here."""
        return image_pcrs()

    def addresses(self, folder: Path, number: int) -> Addresses:
        """UNIX sockets."""
        return enclave_addresses(folder, number)

    def command(self, number: int, parent_role: str) -> list[str]:
        """strongroom.simulator.enclave."""
        own = (f"--number={number}", f"--parent-role={parent_role}")
        return ["strongroom.simulator.enclave", "--state=.", "--sockets=.", *own]

    def wait_started(self, part: Part, number: int) -> None:
        """Its control socket is there."""
        part.wait_socket(part.log_path.parent / f"{numbered('control', number)}.sock", _PROCESS_S)


@dataclass(frozen=True)
class MachineForm:
    """QEMU, which boots an EIF that was built with the driver for its NSM."""

    eif: Path
    memory_mib: int
    cpus: int
    console = "console"

    @property
    def classical(self) -> bool:
        """The image asks for X25519MLKEM768 alone; the dev KMS beside it has it where this Python's OpenSSL is 3.5."""
        return ssl.OPENSSL_VERSION_INFO < (3, 5)

    def pcrs(self) -> Mapping[int, bytes]:
        """Of the EIF. Raises EIFError, UnsoundEIF, OSError."""
        with self.eif.open("rb") as stream:
            image = EIF.from_stream(stream)
        image.require_sound()
        return {index: image.pcrs[index] for index in range(3)}

    def addresses(self, folder: Path, number: int) -> Addresses:
        """Ports of its vsock, behind UNIX sockets."""
        return machine_addresses(folder, number)

    def command(self, number: int, parent_role: str) -> list[str]:
        """strongroom.simulator.machine."""
        hardware = (f"--memory-mib={self.memory_mib}", f"--cpus={self.cpus}", f"--eif={self.eif.resolve()}")
        own = (f"--number={number}", f"--parent-role={parent_role}")
        return ["strongroom.simulator.machine", "--state=.", "--sockets=.", *hardware, *own]

    def wait_started(self, part: Part, number: int) -> None:
        """It said that its control port is open."""
        part.wait_announced(_MACHINE_S)
