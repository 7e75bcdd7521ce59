"""In place of the application: give the machine the files of the host, which QEMU shares, and run a program there.

`enter.py FOLDER PROGRAM ARGUMENTS`. The files are read-only; /dev, /proc, /sys and an empty /run are the machine's own.
Standard library only: this runs in the image, what it starts in the environment of the tests.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

TAG, PLACE = "host", "/host"
_READ_ONLY = 1  # linux/mount.h, MS_RDONLY
_SET_FLAGS, _UP = 0x8914, 0x1  # linux/sockios.h, SIOCSIFFLAGS; linux/if.h, IFF_UP
_REQUEST = "16sH22x"  # struct ifreq
_OWN = {"dev": "devtmpfs", "proc": "proc", "sys": "sysfs", "run": "tmpfs"}


def main(folder: str, program: str, *arguments: str) -> None:
    """Never returns."""
    os.mkdir(PLACE)
    mount(TAG, PLACE, "virtiofs", _READ_ONLY)
    for name, kind in _OWN.items():
        mount(kind, f"{PLACE}/{name}", kind)
    raise_loopback()
    os.chroot(PLACE)
    os.chdir(folder)
    os.execv(program, [program, *arguments])


def mount(source: str, place: str, kind: str, flags: int = 0) -> None:
    """mount(2), which Python has not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), place.encode(), kind.encode(), flags, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), place)


def raise_loopback() -> None:
    """127.0.0.1, for dev KMS and gateway; the image's first process leaves it down."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack(_REQUEST, b"lo", _UP))


if __name__ == "__main__":
    main(*sys.argv[1:])
