"""QEMU's command line for a machine like an enclave: memory, processors, a vsock, an NSM, and nothing else."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from strongroom.simulator.qemu.boot_files import BootFiles

_PROGRAM = "qemu-system-x86_64"
_UNMEASURED = "oops=panic clearcpuid=cx16"
"""A kernel that is broken ends at once, and does without CMPXCHG16B.

QEMU 7.2 emulates that with a wrong EFLAGS now and then, of which one boot in twenty died. NumPy cannot do without, and
looks at the processor itself, which still has it.
"""
EMULATED = "tcg,thread=single"
"""All CPUs in one thread of the host: with one each, a CPU now and then runs code that another has just patched, and
the kernel dies of the breakpoint (`Oops: int3` in sched_clock_cpu; a sixth longer until it is ready).
"""
_PLAIN_RINGS = "indirect_desc=off,event_idx=off"
"""Without what QEMU would offer the driver beyond what our device programs do."""
_CPU_INFO = Path("/proc/cpuinfo")
_CPU_MHZ = re.compile(r"^cpu MHz\s*: ([0-9.]+)$", re.MULTILINE)


class ToolMissing(Exception):
    """A program that this machine lacks; the message names its package."""

    code = "tool-missing"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the machine has."""

    memory_mib: int
    cpus: int


def require_qemu() -> None:
    """Raise ToolMissing unless QEMU and setpriv are installed."""
    for program, package in ((_PROGRAM, "qemu-system-x86"), ("setpriv", "util-linux")):
        if shutil.which(program) is None:
            raise ToolMissing(f"no {program}; on Debian: apt-get install {package}")


def qemu_command(files: BootFiles, hardware: Hardware, *, vsock: str, nsm: str) -> list[str]:
    """The command, whose output is the console; `vsock` and `nsm` are the sockets where their device programs listen.

    The NSM sits behind a device that stock QEMU has: see nsm_module.
    """
    behind_rng = device_of("vhost-user-rng", "nsm", nsm, _PLAIN_RINGS)
    return [*bare_machine(files, hardware), *vsock_device(vsock), *behind_rng]


def bare_machine(files: BootFiles, hardware: Hardware) -> list[str]:
    """The command for a machine without devices, which may follow.

    Emulation is asked for by name: where /dev/kvm exists, guests may still not run on it. QEMU ends with the thread
    that starts it, however that ended.
    """
    memory = f"memory-backend-memfd,id=memory,share=on,size={hardware.memory_mib}M"
    return [
        *("setpriv", "--pdeathsig", "KILL", "--", _PROGRAM),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "microvm,acpi=on,memory-backend=memory", "-accel", EMULATED, "-cpu", "max"),
        *("-smp", str(hardware.cpus), "-m", f"{hardware.memory_mib}M", "-object", memory),
        *("-kernel", str(files.kernel), "-initrd", str(files.ramdisk), "-append", _append(files.command_line)),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-global", "virtio-mmio.force-legacy=false"),
    ]


def vsock_device(socket: str) -> list[str]:
    """The vsock that a program serves."""
    return device_of("vhost-user-vsock-device", "vsock", socket, _PLAIN_RINGS)


def device_of(driver: str, name: str, socket: str, options: str) -> list[str]:
    """A device that a program serves which listens at that socket; `name` is QEMU's for the connection."""
    return ["-chardev", f"socket,id={name},path={socket}", "-device", f"{driver},chardev={name},{options}"]


def _append(command_line: str) -> str:
    return f"{command_line} {unmeasured()}"


def unmeasured() -> str:
    """What the emulator needs behind the image's own command line; a clock's frequency, for nothing calibrates one."""
    found = _CPU_MHZ.search(_CPU_INFO.read_text())
    frequency = f" tsc_early_khz={round(float(found[1]) * 1000)}" if found else ""
    return f"{_UNMEASURED}{frequency}"
