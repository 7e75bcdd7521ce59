"""A device program as a process: it tells where it listens, ends with its front end, and has one line for a fault."""

import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen
from tests.simulator.qemu.image import write_image
from tests.simulator.vhost.driver import MEMORY_BYTES, guest_memory
from tests.simulator.vhost.process import VSOCK, program

NSM = ["strongroom.simulator.vhost.nsm", "--state=.", "--eif=image.eif", "--parent-instance=i-0123456789abcdef0"]
ROLE = "--parent-role=arn:aws:iam::000000000000:role/Parent"


@pytest.mark.parametrize("arguments", [VSOCK, [*NSM, ROLE]], ids=["vsock", "nsm"])
def test_it_ends_with_its_front_end(arguments: list[str], tmp_path: Path) -> None:
    write_image(tmp_path)
    with program(tmp_path, *arguments) as (process, front):
        front.sendall(struct.pack("<III", 1, 1, 0))
        assert struct.unpack("<IIIQ", front.recv(20)) == (1, 5, 8, 1 << 32 | 1 << 30)
        front.close()
        assert process.wait(10) == 0


def test_a_fault_is_one_line(tmp_path: Path) -> None:
    with program(tmp_path, *VSOCK) as (process, front):
        front.sendall(struct.pack("<III", 99, 1, 0))
        _, error = process.communicate(timeout=10)
    assert process.returncode == 1
    assert error == "error: vhost-user: expected a request that these devices know, got number 99\n"


@pytest.mark.parametrize("cid", ["3", "4294967296"])
def test_a_guest_has_a_cid_of_its_own(cid: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", VSOCK[0], "--at=v", f"--guest-cid={cid}", "--socket=device"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"--guest-cid: expected 4 to 4294967295, got {cid}" in ended.stderr


def test_another_role_is_one_line(tmp_path: Path) -> None:
    write_image(tmp_path)
    command = [sys.executable, "-m", *NSM, "--parent-role=Parent", "--socket=device"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["device", "v"])
def test_a_socket_in_use_is_one_line(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", *VSOCK, "--socket=device"]
    with listen(UnixAddress(tmp_path / name)):
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"error: [Errno 98] Address already in use: '{name}'\n"


def test_a_file_that_nobody_can_wait_for_is_one_line(tmp_path: Path) -> None:
    with program(tmp_path, *VSOCK) as (process, front), (tmp_path / "file").open("w") as file:
        region = struct.pack("<QQQQ", 0, MEMORY_BYTES, 0, 0)
        with guest_memory() as memory:
            socket.send_fds(front, [struct.pack("<IIIII", 5, 1, 40, 1, 0) + region], [memory.fd])
        front.sendall(struct.pack("<IIIII", 8, 1, 8, 0, 64))
        front.sendall(struct.pack("<IIIIIQQQQ", 9, 1, 40, 0, 0, 0, 0x8000, 0x4000, 0))
        socket.send_fds(front, [struct.pack("<IIIQ", 12, 1, 8, 0)], [file.fileno()])
        _, error = process.communicate(timeout=10)
    assert process.returncode == 1
    assert error == "error: [Errno 1] Operation not permitted\n"
