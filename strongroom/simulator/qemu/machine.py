"""A machine that boots an EIF without Nitro hardware: stock QEMU, and our device programs for vsock and NSM."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from enclave.addresses import PROXY_PORT
from strongroom.simulator.console import last_lines
from strongroom.simulator.part import Part, PartFailed
from strongroom.simulator.qemu.boot_files import BootFiles, extract
from strongroom.simulator.qemu.command import Hardware, qemu_command, require_qemu
from strongroom.simulator.qemu.heartbeat import PORT as HEARTBEAT_PORT
from strongroom.simulator.qemu.heartbeat import Heartbeat
from strongroom.simulator.running import Running
from strongroom.simulator.signals import signals_deferred
from strongroom.simulator.sockets import machine_port, numbered
from strongroom.transport.addresses import VsockUnixAddress
from strongroom.transport.sockets import dial

_START_S = 20.0
_POLL_S = 0.05
_END_S = 3.0
_FIRST_CID = 16


@dataclass(frozen=True, slots=True)
class Parent:
    """What the NSM says of the instance that the enclave runs on."""

    role_arn: str
    instance_id: str = "i-0123456789abcdef0"


class Machine(Running):
    """One boot of one EIF: a context manager; leaving it leaves nothing running.

    `folder` holds sockets, console and logs of the machine of that `number`, and the `proxy.sock` that it may dial. The
    paths of sockets are as long as it makes them, and UNIX allows 107 bytes.
    """

    def __init__(
        self, eif: Path, folder: Path, state: Path, hardware: Hardware, parent: Parent, *, number: int = 1
    ) -> None:
        self._eif, self._folder, self._state = eif, folder, state
        self._hardware, self._parent, self._number = hardware, parent, number
        self.console = folder / f"{self._name('console')}.log"
        self._parts: list[Part] = []
        self._qemu: subprocess.Popen[bytes] | None = None
        self._heartbeat: Heartbeat | None = None
        self._files: BootFiles | None = None

    def port(self, number: int) -> VsockUnixAddress:
        """A vsock port of the guest, or of its parent."""
        return machine_port(self._folder, self._number, number)

    @property
    def ended(self) -> bool:
        """Whether the machine is off, or one of its devices gone."""
        return self._qemu is None or self._qemu.poll() is not None or any(part.ended for part in self._parts)

    def wait(self, what: str, holds: Callable[[], bool], timeout_s: float) -> None:
        """Wait until something holds; raise PartFailed, with the console's last lines, when the machine ends first."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            if self.ended or time.monotonic() > deadline:
                raise self.failure(f"did not reach: {what}")
            time.sleep(_POLL_S)

    def wait_heartbeat(self, timeout_s: float) -> None:
        """Wait until the image's first process has said that it lives."""
        self.wait("heartbeat", lambda: self._heartbeat is not None and self._heartbeat.came.is_set(), timeout_s)
        if self._files is not None:  # in the machine's memory by now; the next boot may find none left over
            self._files.remove()

    def wait_port(self, number: int, timeout_s: float) -> None:
        """Wait until the application listens on a port."""
        self.wait(f"vsock port {number}", lambda: self._listens(number), timeout_s)

    def wait_ended(self) -> int:
        """Wait until the machine is off; QEMU's exit code, 0 for an image that ended by itself. Raises PartFailed."""
        while not self.ended:
            time.sleep(_POLL_S)
        self._let_end()
        if self._qemu is None or self._qemu.poll() is None:
            raise self.failure("lost a device")
        return self.stop()

    def stop(self) -> int:
        """Switch off at once, as nitro-cli does; QEMU's exit code. Nothing happens if it is off."""
        with signals_deferred():
            code = self._stop_qemu()
            while self._parts:
                self._parts.pop().stop()
            if self._heartbeat is not None:
                self._heartbeat.close()
            if self._files is not None:
                self._files.remove()
        return code

    def failure(self, what: str) -> PartFailed:
        """An error of one line that quotes the console's last ones."""
        self._let_end()
        code = self._qemu.poll() if self._qemu else None
        gone = [str(part.failure("ended")) for part in self._parts if part.process.poll()]
        return PartFailed(" | ".join([f"machine {what} (exit code {code})", *gone, *last_lines(self.console)]))

    def _start(self) -> None:
        require_qemu()
        self._heartbeat = Heartbeat(self.port(HEARTBEAT_PORT))
        vsock = self._start_vsock()  # which fails beside a machine of the same number, whose files stay whole
        _link(self.port(PROXY_PORT).host_port.path, "proxy.sock")
        self._files = files = extract(self._eif, self._folder.resolve(), self._name("machine"))
        command = qemu_command(files, self._hardware, vsock=vsock, nsm=self._start_nsm())
        with self.console.open("wb") as console, signals_deferred():
            self._qemu = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
            )

    def _start_vsock(self) -> str:
        at, cid = self.port(0).path.name, _FIRST_CID + self._number - 1
        return self._start_device("vsock", f"--at={at}", f"--guest-cid={cid}")

    def _start_nsm(self) -> str:
        files = (f"--state={self._state.resolve()}", f"--eif={self._eif.resolve()}")
        parent = (f"--parent-role={self._parent.role_arn}", f"--parent-instance={self._parent.instance_id}")
        return self._start_device("nsm", *files, *parent)

    def _start_device(self, kind: str, *arguments: str) -> str:
        name = self._name(f"{kind}-device")
        arguments = (f"--socket={name}.sock", *arguments)
        with signals_deferred():
            part = Part(name, f"strongroom.simulator.vhost.{kind}", list(arguments), folder=self._folder)
            self._parts.append(part)
        part.wait_announced(_START_S)
        return f"{name}.sock"

    def _let_end(self) -> None:
        """When a QEMU ends its devices hear of it first: it still has the machine's memory to give back."""
        if self._qemu is not None and self.ended:
            with suppress(subprocess.TimeoutExpired):
                self._qemu.wait(_END_S)

    def _stop_qemu(self) -> int:
        if self._qemu is None:
            return 0
        self._qemu.kill()
        return self._qemu.wait()

    def _name(self, what: str) -> str:
        return numbered(what, self._number)

    def _listens(self, number: int) -> bool:
        try:
            dial(self.port(number), 1.0).close()
        except OSError:
            return False
        return True


def _link(path: Path, target: str) -> None:
    """A name beside the machine's socket for a socket that several machines share."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)
