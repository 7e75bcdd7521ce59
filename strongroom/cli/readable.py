"""Words for people: what came from a document cannot command a terminal, and numbers get a meaning beside them."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby

COLOUR = False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
"""For click's contexts: none where https://no-color.org asks for none or the terminal has none, else on a terminal."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PCR_MEANING = {
    0: "image",
    1: "kernel and boot ramdisk",
    2: "application",
    3: "parent's IAM role",
    4: "parent instance",
    8: "signing certificate",
}
"""What an enclave's PCRs measure, whatever runs in it."""


def escaped(text: str) -> str:
    """The text with everything unprintable (control characters, line ends, bidi marks) as escape sequences."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def instant(at_ms: int) -> str | None:
    """RFC 3339 in UTC to the millisecond, or None for an instant that no calendar here reaches (year 10000)."""
    try:
        return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return None


def milliseconds(at: datetime) -> int:
    """Milliseconds since the epoch."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def timestamp_row(at_ms: int) -> tuple[str, str]:
    """The number as signed, and the instant that it means."""
    return "timestamp", f"{at_ms} ms  {instant(at_ms) or 'beyond the year 9999'}"


def pcr_rows(pcrs: Mapping[str, str], kind: str) -> Iterable[tuple[str, str]]:
    """One row per PCR (index → hex); those that hold zeros fold into one. A NitroTPM's have other meanings."""
    meaning = PCR_MEANING if kind == "enclave" else {}
    for index, value in pcrs.items():
        if int(value, 16):
            yield f"PCR{index}", f"{value}  {meaning.get(int(index), '')}".rstrip()
    if zeros := [int(index) for index, value in pcrs.items() if not int(value, 16)]:
        yield "zero PCRs", ranges(zeros)


def optional_row(name: str, value: str | None) -> tuple[str, str]:
    """The length of an optional field in hex: its content can be anybody's."""
    return name, "none" if value is None else f"{len(value) // 2} bytes"


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in ascending order, neighbours as a range: 5 to 15, 18."""
    runs = groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])
    listed = [[number for _, number in run] for _, run in runs]
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in listed)
