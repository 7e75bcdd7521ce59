"""Run a command as other people would: `python -m strongroom.image.elsewhere COMMAND …`.

In a user namespace whose root is user 100000 of this machine, on a host of another name, with a umask that shuts out
everybody else. It proves that a build depends on none of these.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

FIRST_ID: Final = 100_000
"""The user and group of this machine that are root inside."""
_IDS: Final = 65_536
_WAITS: Final = (
    'read -r _ && hostname elsewhere && umask 077 && exec setpriv --reuid 0 --regid 0 --clear-groups -- "$@"'
)
_UNSHARE: Final = ("unshare", "--user", "--keep-caps", "--uts", "sh", "-c", _WAITS, "sh")
_NAMESPACE_S: Final = 10.0


def run(command: list[str]) -> int:
    """The command's exit code. Raises OSError where this user may not map others."""
    with subprocess.Popen([*_UNSHARE, *command], stdin=subprocess.PIPE) as process:
        try:
            _wait_namespace(process)
            for kind in ("uid_map", "gid_map"):
                Path(f"/proc/{process.pid}/{kind}").write_text(f"0 {FIRST_ID} {_IDS}")
            process.communicate(b"\n")
        except BaseException:
            process.kill()
            raise
        return process.returncode


def _wait_namespace(process: subprocess.Popen[bytes]) -> None:
    """`unshare` itself cannot write the maps: nobody is privileged in both namespaces."""
    ours = os.readlink("/proc/self/ns/user")
    deadline = time.monotonic() + _NAMESPACE_S
    while os.readlink(f"/proc/{process.pid}/ns/user") == ours:
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError("expected a user namespace of its own, got none")
        time.sleep(0.01)


def main() -> int:
    """The command's exit code, or 126 with one line where there is no such namespace."""
    try:
        return run(sys.argv[1:])
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 126


if __name__ == "__main__":
    sys.exit(main())
