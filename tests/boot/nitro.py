"""QEMU's nitro-enclave machine: a reader and measurer of EIFs that is not ours, and an NSM that signs nothing.

Debian's QEMU leaves it out; `make qemu-nitro` builds it.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from strongroom.image import cpio
from strongroom.simulator.part import Part
from strongroom.simulator.qemu.command import EMULATED, unmeasured
from strongroom.simulator.qemu.heartbeat import PORT, Heartbeat
from strongroom.simulator.sockets import machine_port
from tests.boot.appliance import CPUS, MEMORY_MIB
from tests.hybrid.tree import ROOT

QEMU = ROOT / ".qemu-nitro" / "qemu"
PARTS = ROOT / ".image" / "parts"
ROLE, INSTANCE = "arn:aws:iam::111122223333:role/parent", "i-0123456789abcdef0"
_START_S, _END_S = 20.0, 180.0
_TELL = Path(__file__).parent / "guest" / "tell.py"


def require_nitro_machine() -> None:
    """Skip where it was not built: it is a check on demand, in CI too."""
    if not QEMU.exists() or not PARTS.exists():
        pytest.skip("needs QEMU's nitro-enclave machine and the local image: make eif-local qemu-nitro")


def write_telling(ramdisk: Path) -> Path:
    """A ramdisk that lays another command over the application's: the kernel unpacks it last."""
    folders = [cpio.directory("rootfs"), cpio.directory("rootfs/app")]
    tell, command = cpio.regular("rootfs/app/tell.py", _TELL), cpio.regular("cmd", b"/usr/bin/python3\n-m\ntell\n")
    with ramdisk.open("wb") as file:
        cpio.write([*folders, tell, command], file)
    return ramdisk


def boot(eif: Path, folder: Path) -> dict[str, Any]:
    """What the guest told on its console before the machine ended."""
    vsock = ("--socket=vsock-device.sock", f"--at={machine_port(folder, 1, 0).path.name}", "--guest-cid=16")
    device = Part("vsock-device", "strongroom.simulator.vhost.vsock", list(vsock), folder=folder)
    heartbeat = Heartbeat(machine_port(folder, 1, PORT))
    try:
        device.wait_announced(_START_S)
        console = _run(eif, folder)
    finally:
        device.stop()
        heartbeat.close()
    told: dict[str, Any] = json.loads(next(line for line in console.splitlines() if line.startswith('{"pcrs"')))
    return told


def _run(eif: Path, folder: Path) -> str:
    machine = f"nitro-enclave,vsock=vsock,id=tell,parent-role={ROLE},parent-id={INSTANCE},acpi=on"
    command = [
        *("setpriv", "--pdeathsig", "KILL", "--", str(QEMU)),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", machine, "-accel", EMULATED, "-cpu", "max", "-smp", str(CPUS), "-m", f"{MEMORY_MIB}M"),
        *("-kernel", str(eif), "-append", unmeasured()),
        *("-chardev", "socket,id=vsock,path=vsock-device.sock"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
    ]
    ended = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=_END_S, check=False
    )
    console = ended.stdout.decode(errors="replace")
    assert ended.returncode == 0, console + ended.stderr.decode(errors="replace")
    return console
