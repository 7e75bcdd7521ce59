"""The image's Python and C library, as pip is told of them: Debian trixie's on x86_64.

`python -m strongroom.image.interpreter` prints the options, one a line, for deploy/image-wheels.sh.
"""

from typing import Final

_OLDEST_GLIBC: Final = 5
_NEWEST_GLIBC: Final = 41  # 2.41, trixie's; pip takes no "at most"

PIP_OPTIONS: Final = (
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--implementation=cp",
    "--python-version=3.13",
    *(f"--platform=manylinux_2_{minor}_x86_64" for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)),
)
"""For pip install and pip download: wheels that fit, the newest tag first, whose digests a lock file names."""

if __name__ == "__main__":
    print(*PIP_OPTIONS, sep="\n")
