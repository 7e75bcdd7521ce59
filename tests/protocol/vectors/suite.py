"""All files, and the folder that holds them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.protocol.vectors import (
    audit_pages,
    checklist,
    envelopes,
    evidence,
    kept_answers,
    key_lists,
    receipt_cases,
    replies,
    requests,
    response_cases,
    tickets,
    weights,
    witnesses,
)
from tests.protocol.vectors.vector import Group

FOLDER = Path(__file__).parents[2] / "vectors" / "protocol"
PAGE = "README.md"
"""The one file in FOLDER that is written by hand."""
CHECKLIST = "checklist.json"


@cache
def groups() -> dict[str, Group]:
    """By name."""
    listed = [
        *(key_lists.group(), evidence.group(), *requests.groups(), envelopes.group()),
        *(*response_cases.groups(), replies.group(), *receipt_cases.groups(), witnesses.group()),
        *(kept_answers.group(), tickets.group(), audit_pages.group(), weights.group()),
    ]
    return {group.name: group for group in listed}


@cache
def files() -> dict[str, bytes]:
    """Everything in FOLDER but the page."""
    messages = {f"{name}.json": group.to_json() for name, group in groups().items()}
    return messages | {CHECKLIST: checklist.page(groups())}


def write(folder: Path) -> None:
    """Make the vectors in ``folder``, and nothing else but the page stays there."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in (PAGE, *files()):
            path.unlink()
    for name, data in files().items():
        (folder / name).write_bytes(data)


def differences(folder: Path) -> list[str]:
    """The names of files that are not what the generator makes: missing, other bytes, or too many."""
    present = {path.name for path in folder.iterdir()} - {PAGE}
    wrong = {name for name in present & files().keys() if (folder / name).read_bytes() != files()[name]}
    return sorted(wrong | (present ^ files().keys()))
