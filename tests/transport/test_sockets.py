"""Addresses and sockets; vsock is only ever parsed and bound here, never connected to."""

import asyncio
import os
import socket
import stat
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from strongroom.transport.addresses import (
    Address,
    UnixAddress,
    VsockAddress,
    VsockUnixAddress,
    listen_any,
    parse_address,
)
from strongroom.transport.sockets import connect, dial, listen


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("vsock:16:7001", VsockAddress(16, 7001)),
        ("vsock:any:7001", listen_any(7001)),
        ("unix:/run/x.sock", UnixAddress(Path("/run/x.sock"))),
        ("unix:x.sock", UnixAddress(Path("x.sock"))),
        ("vsock-unix:/run/v.sock:7001", VsockUnixAddress(Path("/run/v.sock"), 7001)),
        ("vsock-unix:a:b:1", VsockUnixAddress(Path("a:b"), 1)),
        ("unix:" + "x" * 107, UnixAddress(Path("x" * 107))),
        ("vsock-unix:" + "é" * 53 + ":1", VsockUnixAddress(Path("é" * 53), 1)),
        ("unix:\udcff", UnixAddress(Path("\udcff"))),
    ],
)
def test_addresses_round_trip(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unix:",
        "vsock:",
        "vsock:1",
        "vsock:1:-1",
        "vsock:99999999999:1",
        "tcp:1:2",
        "vsock:1:2:3",
        "vsock:٣:٤",
        "vsock-unix:",
        "vsock-unix:x",
        "vsock-unix::1",
        "vsock-unix:x:",
        "vsock-unix:x:4294967296",
    ],
)
def test_other_texts_are_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected vsock"):
        parse_address(text)


@pytest.mark.parametrize("form", ["unix:{}", "vsock-unix:{}:1"])
@pytest.mark.parametrize(
    "path",
    ["/run/a\0b", "\0a", "a\0", "x" * 108, "é" * 54, "\ud800"],
    ids=["nul", "nul-first", "nul-last", "long", "long-in-bytes", "no-bytes"],
)
def test_a_path_that_names_another_socket_or_none_is_refused(form: str, path: str) -> None:
    """The kernel would read `/run/a`, or a name that no file's owner guards."""
    with pytest.raises(ValueError, match="expected a path of at most 107 bytes without a NUL"):
        parse_address(form.format(path))


def test_a_listener_never_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("kept")
    with pytest.raises(OSError, match="in use"):
        listen(UnixAddress(tmp_path / "notes"))
    assert (tmp_path / "notes").read_text() == "kept"


def test_a_listener_never_replaces_one_that_lives(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "s")
    with listen(address) as first:
        with pytest.raises(OSError, match="in use"):
            listen(address)
        with dial(address, 1) as client:
            client.sendall(b"x")
            assert b"x" in (heard(first), heard(first))


def heard(listener: socket.socket) -> bytes:
    """What the next connection says until it ends or has said something."""
    peer, _ = listener.accept()
    with peer:
        return peer.recv(1)


def test_a_unix_listener_is_its_owners_and_replaces_a_dead_one(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "s")
    listen(address).close()
    with listen(address) as listener, dial(address, 1) as client:
        assert stat.S_IMODE(address.path.stat().st_mode) == 0o600
        peer, _ = listener.accept()
        with peer:
            client.sendall(b"x")
            assert peer.recv(1) == b"x"


def test_dialling_nobody_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        dial(UnixAddress(tmp_path / "none"), 1)


async def test_connecting_is_the_same_on_a_loop(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "s")
    with pytest.raises(FileNotFoundError):
        await connect(address, 1)
    with listen(address) as listener:
        connection = await connect(address, 1)
        with connection, listener.accept()[0] as peer:
            await asyncio.get_running_loop().sock_sendall(connection, b"x")
            assert peer.recv(1) == b"x"


@pytest.mark.skipif(not hasattr(socket, "AF_VSOCK"), reason="no AF_VSOCK in this Python")
def test_a_vsock_listener_binds_every_cid() -> None:
    try:
        listener = listen(listen_any(49_321))
    except OSError as error:
        pytest.skip(f"this kernel has no vsock: {error}")
    with listener:
        assert listener.getsockname()[1] == 49_321


async def dialled(address: Address, timeout_s: float) -> socket.socket:
    return await asyncio.to_thread(dial, address, timeout_s)


WAYS = pytest.mark.parametrize("way", [dialled, connect])
Way = Callable[[Address, float], Awaitable[socket.socket]]


async def listening(address: Address, timeout_s: float) -> socket.socket:
    return listen(address)


@pytest.mark.parametrize("way", [dialled, connect, listening])
@pytest.mark.parametrize("path", ["\ud800", "x" * 108], ids=["no-bytes", "long"])
async def test_no_socket_stays_open_for_a_path_that_is_none(way: Way, path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises((ValueError, OSError)) as raised:
        await way(UnixAddress(Path(path)), 1)
    assert len(os.listdir("/proc/self/fd")) == before
    del raised


@contextmanager
def machine(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """Answers the first connection to `path` like an emulator's vsock, then ends it; gives what it was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as lines:
            asked.append(lines.readline())
            peer.sendall(answer)

    with listen(UnixAddress(path)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(5)


@WAYS
async def test_a_port_of_a_guest_is_asked_for(way: Way, tmp_path: Path) -> None:
    with (
        machine(tmp_path / "v", b"OK 1073741824\nsaid first") as asked,
        await way(VsockUnixAddress(tmp_path / "v", 7003), 2) as connection,
    ):
        connection.settimeout(2)
        assert connection.recv(64) == b"said first"
    assert asked == [b"CONNECT 7003\n"]


@WAYS
@pytest.mark.parametrize("answer", [b"", b"OK", b"OK \n", b"OK 1", b"NO 1\n", b"OK 12345678901\n", b"\n"])
async def test_any_other_answer_is_a_refusal(way: Way, answer: bytes, tmp_path: Path) -> None:
    with machine(tmp_path / "v", answer), pytest.raises(ConnectionRefusedError, match="expected OK"):
        await way(VsockUnixAddress(tmp_path / "v", 7003), 2)


@WAYS
async def test_silence_is_a_timeout(way: Way, tmp_path: Path) -> None:
    with listen(UnixAddress(tmp_path / "v")), pytest.raises(TimeoutError):
        await way(VsockUnixAddress(tmp_path / "v", 7003), 0.1)


def test_a_host_port_is_a_socket_beside_the_machines(tmp_path: Path) -> None:
    with listen(VsockUnixAddress(tmp_path / "v", 7004)), dial(UnixAddress(tmp_path / "v_7004"), 1):
        pass
