"""allocator.yaml: what the Nitro Enclaves allocator service reserves at its next start.

The service reads it with a few lines of shell (aws-nitro-enclaves-cli, bootstrap/nitro-enclaves-allocator): `---`, then
`key: value` lines of memory_mib and either cpu_count or cpu_pool; comments stay; everything else, an empty line too, is
an error there, and here. A carriage return is part of a line to it, and a last line without a newline it does not read.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path
from typing import Self

from parent.audit.files import put
from parent.lifecycle.errors import AllocatorUnusable
from parent.lifecycle.plan import Size

DEFAULT_FILE = Path("/etc/nitro_enclaves/allocator.yaml")
SERVICE = "nitro-enclaves-allocator.service"
_MAX_BYTES = 64 << 10
_EMPTY = "---\n# Written by strongroom enclave run.\nmemory_mib: 0\ncpu_count: 0\n"
_LINE = re.compile(r"(memory_mib|cpu_count|cpu_pool):\s*\"?([0-9][0-9,-]{0,1023})\"?")
_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


@dataclass(frozen=True)
class Allocator:
    """The file's text and what it says. CPUs of a pool are counted; which ones they are is the operator's choice."""

    text: str
    memory_mib: int
    cpus: int
    pool: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """A missing file reserves nothing. Raises AllocatorUnusable, OSError."""
        if not path.exists():
            return cls.parse(_EMPTY)
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        try:
            return cls.parse(data.decode() if len(data) <= _MAX_BYTES else "")
        except UnicodeDecodeError:
            raise AllocatorUnusable(f"{path}: expected text in UTF-8, got other bytes") from None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise AllocatorUnusable for anything that the service would not take."""
        values = dict(_values(text.split("\n")))
        cpus = values.keys() & {"cpu_count", "cpu_pool"}
        if "memory_mib" not in values or len(cpus) != 1:
            raise AllocatorUnusable("allocator: expected memory_mib and either cpu_count or cpu_pool")
        pool = "cpu_pool" in values
        count = _pool_size(values["cpu_pool"]) if pool else _number(values["cpu_count"])
        return cls(text, _number(values["memory_mib"]), count, pool)

    def suffices(self, size: Size) -> bool:
        """Whether so many enclaves find their memory and CPUs, if nobody else takes any."""
        return self.memory_mib >= size.total_memory_mib and self.cpus >= size.total_cpus

    def raised_to(self, size: Size) -> Self:
        """With at least what is needed; comments and everything else stay. Raises AllocatorUnusable for a pool."""
        memory_mib, cpus = max(self.memory_mib, size.total_memory_mib), max(self.cpus, size.total_cpus)
        if self.pool and cpus > self.cpus:
            raise AllocatorUnusable(f"allocator: expected a cpu_pool of {cpus} CPUs, got {self.cpus}: choose more")
        text = re.sub(r"(?m)^[ \t]*memory_mib:.*$", f"memory_mib: {memory_mib}", self.text)
        text = re.sub(r"(?m)^[ \t]*cpu_count:.*$", f"cpu_count: {cpus}", text)
        return replace(self, text=text, memory_mib=memory_mib, cpus=cpus)

    def difference(self, other: "Allocator", path: Path) -> str:
        """From this one to the other, as `diff -u` says it."""
        old, new = (each.text.splitlines(keepends=True) for each in (self, other))
        return "".join(unified_diff(old, new, str(path), str(path)))

    def write(self, path: Path) -> None:
        """Replace the file in one step, where a link to it leads. Raises OSError."""
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, self.text.encode())


def _values(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    *lines, rest = lines
    if "---" not in lines:
        raise AllocatorUnusable("allocator: expected a line ---, after which the service begins to read, got none")
    if rest:
        raise AllocatorUnusable("allocator: expected a newline after the last line, got none: the service skips it")
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if line.lstrip(" \t").startswith("#") or number <= lines.index("---") + 1:
            continue
        match = _LINE.fullmatch(line.strip(" \t"))
        if match is None or match[1] in seen:
            raise AllocatorUnusable(
                f"allocator: expected one line each of memory_mib and cpu_count or cpu_pool, got line {number}"
            )
        seen.add(match[1])
        yield match[1], match[2]


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise AllocatorUnusable("allocator: expected numbers of at most nine digits")
    return int(text)


def _pool_size(text: str) -> int:
    return len(set(_pool(text.split(","))))


def _pool(parts: Iterable[str]) -> Iterator[int]:
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise AllocatorUnusable("allocator: expected a cpu_pool such as 2,3,6-9")
        yield from range(int(match[1]), int(match[2] or match[1]) + 1)
