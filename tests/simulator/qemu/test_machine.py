"""The machine around QEMU, with a QEMU that only pretends: starts, failures, and that nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.simulator.part import PartFailed
from strongroom.simulator.qemu.command import Hardware, ToolMissing
from strongroom.simulator.qemu.heartbeat import PORT as HEARTBEAT_PORT
from strongroom.simulator.qemu.machine import Machine, Parent
from strongroom.transport.sockets import dial
from tests.simulator.qemu.image import write_image

HARDWARE, PARENT = Hardware(memory_mib=64, cpus=1), Parent("arn:aws:iam::000000000000:role/Parent")
BOOTS = """#!/bin/sh
echo "Linux version 0"
exec sleep 60
"""
CONNECTS = f"""#!{sys.executable}
import socket, time
devices = [socket.socket(socket.AF_UNIX) for _ in range(2)]
for device, kind in zip(devices, ("vsock", "nsm")):
    device.connect(f"{{kind}}-device.sock")
print("Linux version 0", flush=True)
time.sleep(60)
"""
PANICS = """#!/bin/sh
echo "Linux version 0"
echo "Kernel panic - not syncing: no init"
exit 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: the names of sockets stay short."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path)
    return Path()


def pretend(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Path("tools").resolve()
    tools.mkdir()
    (tools / "qemu-system-x86_64").write_text(script)
    (tools / "qemu-system-x86_64").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")


def machine(folder: Path) -> Machine:
    return Machine(folder / "image.eif", folder, folder / "state", HARDWARE, PARENT)


def processes_in(folder: Path) -> list[str]:
    """What runs with that current folder, but for this test."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").resolve() == folder.resolve() and int(entry.name) != os.getpid():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [command for command in found if command]


def test_stopping_leaves_nothing_running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(BOOTS, monkeypatch)
    with machine(folder) as booted:
        assert not booted.ended
        wait_until(lambda: len(processes_in(folder)) == 3)  # one may be on its way from setpriv to its program
    assert booted.ended
    assert processes_in(folder) == []
    assert not list(folder.glob("machine.*"))


def test_a_boot_that_fails_says_what_the_console_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(PANICS, monkeypatch)
    with machine(folder) as booted, pytest.raises(PartFailed, match=r"heartbeat \(exit code 3\).*Kernel panic"):
        booted.wait_heartbeat(30)
    assert processes_in(folder) == []


def test_a_boot_that_says_nothing_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(BOOTS, monkeypatch)
    with machine(folder) as booted, pytest.raises(PartFailed, match=r"heartbeat \(exit code None\).*Linux version"):
        booted.wait_heartbeat(0.3)
    assert processes_in(folder) == []


def test_a_machine_ends_with_its_devices(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(BOOTS, monkeypatch)
    monkeypatch.setattr("strongroom.simulator.qemu.machine._END_S", 0.1)  # this QEMU never hears of it
    with machine(folder) as booted:
        booted._parts[0].process.kill()
        with pytest.raises(PartFailed, match="lost a device"):
            booted.wait_ended()
    assert processes_in(folder) == []


def test_without_qemu_the_package_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissing, match="apt-get install qemu-system-x86"), machine(folder):
        pass


ARGUMENTS = ["--eif=image.eif", "--state=state", "--sockets=.", "--parent-role", PARENT.role_arn]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_program_that_is_ended_leaves_nothing_running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    pretend(BOOTS, monkeypatch)
    with subprocess.Popen([sys.executable, "-m", "strongroom.simulator.machine", *ARGUMENTS]) as program:
        wait_until(lambda: Path("console.log").exists() and "Linux" in Path("console.log").read_text())
        assert len(processes_in(folder)) == 4
        program.send_signal(number)
        assert program.wait(20) == code
    wait_until(lambda: processes_in(folder) == [])


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "expected it to hold by now"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--eif=part0", "error: EIF: expected"),
        ("--eif=missing.eif", "error: [Errno 2] No such file or directory: 'missing.eif'"),
        ("--memory-mib=11", "error: memory: expected at least 12 MiB, 4 x the EIF, got 11 MiB"),
    ],
)
def test_bad_arguments_are_one_line(folder: Path, option: str, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "strongroom.simulator.machine", *ARGUMENTS, option],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(said)
    assert len(ended.stderr.splitlines()) == 1
    assert "EIF: expected" in said or not list(folder.glob("*.sock"))  # asked for in vain before anything was started


def test_a_second_machine_of_that_number_leaves_the_first_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(CONNECTS, monkeypatch)
    with machine(folder) as first:
        wait_until(lambda: "Linux" in Path("console.log").read_text())
        kernel = Path("machine.kernel").stat()
        (folder / "vsock.sock_9000").unlink()  # as far as the first one's heartbeat came, nobody listens there
        with (
            pytest.raises(PartFailed, match=r"vsock-device did not start .*in use: 'vsock\.sock'"),
            machine(folder),
        ):
            pass
        assert not first.ended
        assert Path("machine.kernel").stat() == kernel


def test_after_the_heartbeat_its_files_are_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are as large as the image, and no end of this process would leave them then."""
    pretend(BOOTS, monkeypatch)
    with machine(folder) as booted:
        with dial(booted.port(HEARTBEAT_PORT).host_port, 5) as init:
            init.sendall(b"\xb7")
            booted.wait_heartbeat(10)
        assert not list(folder.glob("machine.*"))


def test_a_folder_with_too_long_a_name_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(BOOTS, monkeypatch)
    long = folder / ("x" * 100)
    long.mkdir()
    started = Machine(folder / "image.eif", long, folder / "state", HARDWARE, PARENT)
    with pytest.raises(OSError, match=r"too long: 'x+/vsock\.sock_9000'"), started:
        pass
    assert not list(long.glob("machine.*"))
