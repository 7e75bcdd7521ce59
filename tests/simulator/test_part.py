"""A part ends with its supervisor, however that ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from strongroom.simulator.part import Part

SUPERVISOR = """
import sys, time
from pathlib import Path
from strongroom.simulator.part import Part
arguments = ["--listen=unix:proxy.sock", "--allow=kms.example:443=127.0.0.1:9"]
part = Part("proxy", "proxy", arguments, folder=Path(sys.argv[1]))
part.wait_announced(30)
print(part.process.pid, flush=True)
time.sleep(60)
"""


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_full_disk_ends_no_part(tmp_path: Path) -> None:
    (tmp_path / "proxy.log").symlink_to("/dev/full")
    part = Part("proxy", "proxy", ["--listen=unix:proxy.sock", "--allow=kms.example:443=127.0.0.1:9"], folder=tmp_path)
    try:
        part.wait_announced(30)
        assert not part.ended
    finally:
        part.stop()


def test_a_killed_supervisor_leaves_nothing_running(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        assert exists(pid)
        supervisor.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while exists(pid):
        assert time.monotonic() < deadline, "expected the part to end with its supervisor"
        time.sleep(0.02)
