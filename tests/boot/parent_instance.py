"""A machine that plays the parent instance: Debian's kernel, an AF_VSOCK of its own, and this machine's files.

A process that listens on vsock there stands for an enclave: with `vsock_loopback` the kernel joins it to whoever dials
the machine's own CID, beside the driver for virtio that a parent instance has, too. All other files, Python and the
project among them, are those of this machine, shared read-only by virtiofsd.
"""

import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from strongroom.image import cpio
from strongroom.image.kernel_modules import KernelModule, KernelModules
from strongroom.image.local_parts import CMDLINE, LocalParts
from strongroom.image.ramdisk import write_boot
from strongroom.image.record import Record
from strongroom.simulator.part import Part
from strongroom.simulator.qemu.boot_files import BootFiles
from strongroom.simulator.qemu.command import Hardware, bare_machine, device_of, vsock_device
from strongroom.simulator.qemu.heartbeat import PORT, Heartbeat
from strongroom.simulator.sockets import machine_port
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen
from tests.boot.guest.enter import TAG
from tests.boot.inside import CID
from tests.hybrid.tree import ROOT

VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")
IMAGE = ROOT / ".image"
RECORD = IMAGE / "packages.json"
_MODULES = ("virtio_mmio", "vmw_vsock_virtio_transport", "vsock_loopback")
_ENTER = Path(__file__).parent / "guest" / "enter.py"
_HARDWARE = Hardware(memory_mib=3072, cpus=2)
_START_S = 20.0
_VSOCK, _FILES = "vsock-device.sock", "files.sock"


def kernel_package() -> Path:
    """Of the kernel that the image was built with, in the cache of `make eif-local`."""
    return IMAGE / "cache" / "debian" / Record.from_bytes(RECORD.read_bytes()).kernel.file


@dataclass(frozen=True)
class ParentInstance:
    """`folder` gets ramdisk, sockets and logs."""

    folder: Path

    def run(
        self, command: Sequence[str], environment: Sequence[str], say: Callable[[str], None], timeout_s: float
    ) -> None:
        """Boot, run `command` in the project's folder, to its end; each line of the console goes to `say` at once.

        After `timeout_s` it is switched off.
        """
        ramdisk = self._ramdisk(command, environment)
        with ExitStack() as stack:
            self._start_vsock(stack)
            self._start_files(stack)
            machine = stack.enter_context(self._started(ramdisk))
            stack.callback(machine.kill)
            limit = threading.Timer(timeout_s, machine.kill)
            stack.callback(limit.cancel)
            limit.start()
            for line in machine.stdout or ():
                say(line.decode(errors="replace").rstrip())

    def _ramdisk(self, command: Sequence[str], environment: Sequence[str]) -> Path:
        """That of the image, with modules and command of its own: the kernel unpacks those last."""
        parts, ramdisk = LocalParts(IMAGE / "parts"), self.folder / "ramdisk"
        entering = ("/usr/bin/python3", "/app/enter.py", str(ROOT), *command)
        own = [cpio.regular("cmd", _lines(entering)), cpio.regular("env", _lines(environment))]
        enter = [cpio.directory("rootfs"), cpio.directory("rootfs/app"), cpio.regular("rootfs/app/enter.py", _ENTER)]
        with ramdisk.open("wb") as out:
            write_boot(out, parts.init, self._modules())
            out.write(parts.application.read_bytes())
            cpio.write([*own, *enter], out)
        return ramdisk

    def _modules(self) -> list[KernelModule]:
        """Of the image's own kernel; its package has more of them than the image."""
        subprocess.run(["dpkg-deb", "--extract", kernel_package(), self.folder / "kernel"], check=True)
        [modules] = (self.folder / "kernel" / "usr" / "lib" / "modules").iterdir()
        return KernelModules(modules).in_order(_MODULES)

    def _start_vsock(self, stack: ExitStack) -> None:
        at = machine_port(self.folder, 1, 0).path.name
        arguments = [f"--socket={_VSOCK}", f"--at={at}", f"--guest-cid={CID}"]
        device = Part("vsock-device", "strongroom.simulator.vhost.vsock", arguments, folder=self.folder)
        stack.callback(device.stop)
        device.wait_announced(_START_S)
        stack.callback(Heartbeat(machine_port(self.folder, 1, PORT)).close)

    def _start_files(self, stack: ExitStack) -> None:
        # Its own namespaces are not to be had where the root is a ramdisk, as in many containers.
        options = ("-osource=/", "-ocache=always", "-osandbox=chroot")
        log = stack.enter_context((self.folder / "files.log").open("wb"))
        with listen(UnixAddress(self.folder / _FILES)) as listener:  # of a path it would leave a lock in /run
            number = listener.fileno()
            command = ["setpriv", "--pdeathsig", "KILL", "--", str(VIRTIOFSD), f"--fd={number}", *options]
            files = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[number])
        stack.callback(stack.enter_context(files).kill)

    def _started(self, ramdisk: Path) -> subprocess.Popen[bytes]:
        files = BootFiles(LocalParts(IMAGE / "parts").kernel, ramdisk, CMDLINE)
        shared = device_of("vhost-user-fs-device", "files", _FILES, f"tag={TAG}")
        command = [*bare_machine(files, _HARDWARE), *vsock_device(_VSOCK), *shared]
        nothing, pipe, same = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
        return subprocess.Popen(command, cwd=self.folder, stdin=nothing, stdout=pipe, stderr=same)


def _lines(words: Sequence[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
