"""The state folder: one supervisor, whatever else is written there."""

import fcntl
import threading
from pathlib import Path

import pytest

from parent.lifecycle.errors import StateUnusable
from parent.lifecycle.folder import StateFolder
from parent.lifecycle.record import Record, Standing, State


def test_one_supervisor_holds_it(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "a" / "state")
    assert not folder.supervised
    with folder.held():
        assert folder.supervised
        with pytest.raises(StateUnusable, match="in use"), StateFolder(folder.path).held():
            pass
    assert not folder.supervised
    with folder.held():
        pass


def test_whoever_asks_whether_it_is_held_keeps_nobody_out(tmp_path: Path) -> None:
    with (tmp_path / "supervisor.lock").open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_EX)
        threading.Timer(0.15, fcntl.flock, (asking, fcntl.LOCK_UN)).start()
        with StateFolder(tmp_path).held():
            pass


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert folder.read() is None
    standing = Standing("nitro", 4711, [Record(1, State.READY, log="vsock:16:7003", last_lines=["a", "b"])])
    folder.write(standing)
    assert folder.read() == standing
    folder.clear()
    folder.clear()
    assert folder.read() is None


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"\xff", b'{"launcher": 1}', b"[" * 10_000, b'{"launcher":"x","supervisor_pid":1,"enclaves":[{}]}'],
    ids=["empty", "nothing", "bytes", "number", "nested", "no number"],
)
def test_what_no_supervisor_wrote(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "enclaves.json").write_bytes(data)
    with pytest.raises(StateUnusable, match="expected what a supervisor writes"):
        StateFolder(tmp_path).read()


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="at most 84 bytes"):
        StateFolder(tmp_path / ("x" * 84))
