"""What a console or a log showed last: a guest's own words too, so bounded, and without what commands a terminal."""

import os
from pathlib import Path

_LINES, _LINE_CHARACTERS = 8, 200
_READ_BYTES = 64 << 10
_PANIC = "Kernel panic"
"""The line that says why; what the kernel prints behind it, its stack, is longer than what is shown."""


def last_lines(console: Path, count: int = _LINES) -> list[str]:
    """The last `count` lines that are not empty, and before them the kernel's own last one where it gave up."""
    if not console.exists():
        return []
    with console.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _READ_BYTES))
        text = stream.read(_READ_BYTES).decode(errors="replace")
    lines = [line for line in map(_plain, text.splitlines()) if line]
    before, last = lines[:-count], lines[-count:]
    return [line for line in before if _PANIC in line][-1:] + last


def _plain(line: str) -> str:
    return "".join(each if each.isprintable() else " " for each in line).strip()[:_LINE_CHARACTERS]
