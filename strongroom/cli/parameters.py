"""What the verifier is given, read from words: names, bytes in hex, instants, registers. Raise click.BadParameter."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import click

from strongroom.cli.files import STANDARD_INPUT

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_PINNED = re.compile(r"(0|[1-9][0-9]?)=(.*)")
_MILLISECONDS = re.compile(r"[0-9]{1,19}")
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)


def file_name(text: str) -> Path:
    """A file, a folder, or - for standard input; the empty name, of a variable nobody set, is no current folder."""
    if not text:
        raise click.BadParameter("expected the name of a file or a folder, got an empty one.")
    return STANDARD_INPUT if text == "-" else Path(text)


def state_folder(text: str) -> Path:
    """A folder that may not be there yet; the empty name, of a variable nobody set, is no current folder."""
    if not text:
        raise click.BadParameter("expected the name of a folder, got an empty one.")
    return Path(text)


def hex_bytes(text: str) -> bytes:
    """One byte or more, two hexadecimal digits each."""
    if not _HEX.fullmatch(text):
        raise click.BadParameter("expected an even number of hexadecimal digits, at least two.")
    return bytes.fromhex(text)


def pinned_pcr(text: str) -> tuple[int, bytes]:
    """`N=HEX`: the index of a PCR, decimal, and the value it must have."""
    match = _PINNED.fullmatch(text)
    if match is None:
        raise click.BadParameter("expected N=HEX, for example 8=5e02…, with the index of a PCR as N.")
    return int(match[1]), hex_bytes(match[2])


def instant_ms(text: str) -> int:
    """RFC 3339 with an offset, or milliseconds since the epoch as our JSON has them."""
    if _MILLISECONDS.fullmatch(text):
        return int(text)
    try:
        if _RFC_3339.fullmatch(text):
            return (datetime.fromisoformat(text.upper()) - _EPOCH) // _MILLISECOND
    except ValueError:  # well written, but a day or an hour that no calendar has
        pass
    raise click.BadParameter("expected an instant like 2026-01-31T12:00:00Z, or milliseconds since the epoch.")
