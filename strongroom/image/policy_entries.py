"""One entry of a policy file written anew, with every comment and every other entry as they were.

The text is edited line by line, and what comes out must load as exactly the tuples that were meant: a file that is
written in a way this does not understand is refused, never guessed at.
"""

import fcntl
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from attestation.eif.measurements import SIGNING_CERTIFICATE_PCR
from attestation.errors import PolicyError
from attestation.measurements import IMAGE_PCRS, PARENT_ROLE_PCR, ZERO, parent_role_pcr3
from attestation.policy import Measurements
from attestation.policy_file import MAX_POLICY_FILE_BYTES, dump_measurements, load_measurements
from strongroom.image.draft import replacing, require_folder

_HEADER = re.compile(r"[ \t]*\[\[[ \t]*measurement[ \t]*\]\][ \t]*(#.*)?\r?")
_VALUE = re.compile(r"""([ \t]*(\w+)[ \t]*=[ \t]*)("[^"]*"|'[^']*'|true|false)([ \t]*(?:#.*)?\r?)""")

_ANOTHER_FORM = "expected a policy file of [[measurement]] tables with a key a line, got TOML in another form"
_OF_THE_IMAGE = (*IMAGE_PCRS, SIGNING_CERTIFICATE_PCR)
_ROLE_KEYS = ("parent_role", "any_parent_role", f"pcr{PARENT_ROLE_PCR}")
_SOME_PCRS = dict.fromkeys(IMAGE_PCRS, bytes([1]) * len(ZERO))


@dataclass(frozen=True, slots=True)
class Entry:
    """Which entry, and under which parent it may run: an IAM role's ARN, any, or as the file already says."""

    name: str
    role: str | None = None
    any_parent_role: bool = False


def check(path: Path, entry: Entry) -> None:
    """Whether `write` will succeed, whatever the image measures. Raises PolicyError, OSError."""
    require_folder(path)
    updated(_read(path), entry, _SOME_PCRS)


def write(path: Path, entry: Entry, pcrs: Mapping[int, bytes]) -> None:
    """Put the image's registers into the entry of that name, or add one, in one step. Raises PolicyError, OSError."""
    with _one_at_a_time(path):
        text = updated(_read(path), entry, pcrs)
        with replacing(path) as file:
            file.write(text.encode())


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two builds that add to one file would lose an entry. The folder is locked, for the file is replaced."""
    descriptor = os.open(os.path.dirname(os.path.realpath(path)), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def updated(text: str, entry: Entry, pcrs: Mapping[int, bytes]) -> str:
    """The policy file's text with PCR0, 1, 2 and, of a signed image, 8 in the entry.

    What else an entry pins stays: its PCR16 and PCR17, its window. Raises PolicyError.
    """
    lines = text.split("\n")
    headers = [number for number, line in enumerate(lines) if _HEADER.fullmatch(line)]
    before = load_measurements(text.encode()) if _says_something(lines) else ()
    if len(headers) != len(before):
        raise PolicyError(_ANOTHER_FORM)
    at = _index(before, entry.name)
    if at is None:
        added = _added(entry, pcrs)
        meant, result = [*before, added], text + ("\n" if text else "") + dump_measurements([added])
    else:
        meant = [*before[:at], _merged(before[at], entry, pcrs), *before[at + 1 :]]
        start, end = headers[at], [*headers, len(lines)][at + 1]
        result = "\n".join([*lines[:start], *_edited(lines[start:end], entry, pcrs), *lines[end:]])
    if not _is_toml(result) or list(load_measurements(result.encode())) != meant:
        raise PolicyError(_ANOTHER_FORM)
    return result


def _is_toml(text: str) -> bool:
    """What was added to a file in TOML can make it none: a key that stands there in quotes already."""
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True


def _says_something(lines: Sequence[str]) -> bool:
    """A file of comments alone is an empty one, which `load_measurements` refuses."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def _index(before: Sequence[Measurements], name: str) -> int | None:
    found = [number for number, each in enumerate(before) if each.name == name]
    if len(found) > 1:
        raise PolicyError(f"expected at most one measurement named {name}, got {len(found)}: rename the others")
    return found[0] if found else None


def _added(entry: Entry, pcrs: Mapping[int, bytes]) -> Measurements:
    if entry.role is None and not entry.any_parent_role:
        advice = "give --role ARN (make: ROLE=ARN)"
        raise PolicyError(f"expected the parent's role for a new measurement named {entry.name}, got none; {advice}")
    return Measurements({**pcrs, **_role_register(entry)}, entry.name, any_parent_role=entry.any_parent_role)


def _merged(old: Measurements, entry: Entry, pcrs: Mapping[int, bytes]) -> Measurements:
    kept = {index: value for index, value in old.pcrs.items() if index not in _OF_THE_IMAGE}
    if entry.role is None and not entry.any_parent_role:
        return replace(old, pcrs={**kept, **pcrs})
    kept.pop(PARENT_ROLE_PCR, None)
    return replace(old, pcrs={**kept, **pcrs, **_role_register(entry)}, any_parent_role=entry.any_parent_role)


def _role_register(entry: Entry) -> Mapping[int, bytes]:
    return {} if entry.role is None else {PARENT_ROLE_PCR: parent_role_pcr3(entry.role)}


def _edited(lines: Sequence[str], entry: Entry, pcrs: Mapping[int, bytes]) -> list[str]:
    """One table's lines: values replaced where they stand, new keys behind the last one, the rest as it was."""
    values = {f"pcr{index}": f'"{value.hex()}"' for index, value in pcrs.items()} | _role_values(entry)
    gone = {f"pcr{index}" for index in _OF_THE_IMAGE} | set(_ROLE_KEYS if _role_values(entry) else ())
    edited, last = [], 1
    for line in lines:
        match = _VALUE.fullmatch(line)
        if match is not None and match[2] in values:
            edited.append(match[1] + values.pop(match[2]) + match[4])
        elif match is None or match[2] not in gone:
            edited.append(line)
        last = last if match is None else len(edited)
    return [*edited[:last], *(f"{key} = {value}" for key, value in values.items()), *edited[last:]]


def _role_values(entry: Entry) -> dict[str, str]:
    if entry.role is not None:
        return {"parent_role": f'"{entry.role}"'}
    return {"any_parent_role": "true"} if entry.any_parent_role else {}


def _read(path: Path) -> str:
    """A file that is not there yet is an empty one; one that is too long is refused when it is loaded."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_POLICY_FILE_BYTES + 1).decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise PolicyError("expected a policy file in TOML and UTF-8, got something else") from None
