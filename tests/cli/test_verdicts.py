"""A report for people: each step with its outcome, what the document says, in colour where the terminal has it."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest

from tests.attestation import forge
from tests.cli.running import strongroom
from tests.cli.verifying import ARCHIVED, anchored, pin, policy_file, run, write


def statuses(lines: list[str]) -> dict[str, str]:
    rows = (line.split() for line in lines if line.startswith("  "))
    return {row[0]: row[1] for row in rows if row[1] in ("passed", "failed", "skipped")}


def test_the_table_of_an_accepted_document(tmp_path: Path) -> None:
    file = write(tmp_path, forge.document(user_data=b"to whom it may concern"))
    text = run(file, *ARCHIVED, "--second-opinion", *anchored(tmp_path)).stdout.decode()
    lines = text.splitlines()
    assert lines[0] == "accepted (archived, enclave; SIMULATED, proves nothing about hardware)"
    assert statuses(lines) == {
        **dict.fromkeys(("envelope", "payload", "anchor", "kind", "chain", "validity", "signature"), "passed"),
        **dict.fromkeys(("freshness", "policy", "binding"), "skipped"),
        **dict.fromkeys(("debug", "second-opinion"), "passed"),
    }
    assert "  zero PCRs   5 to 15" in lines
    assert "  user data   22 bytes" in lines
    assert f"  SIMULATED  SHA-256 {forge.pki().anchor.sha256}" in lines
    assert text.index("it proves:") < text.index("it does not prove:")
    assert b"to whom".hex() not in text


def test_the_table_of_a_rejected_document(tmp_path: Path) -> None:
    asked = (write(tmp_path), "--archived", *anchored(tmp_path), *pin(0, forge.pcr(1)))
    lines = run(*asked, exit_code=1).stdout.decode().splitlines()
    assert lines[0].startswith("rejected: measurement (")
    assert f"  policy          failed   expected PCR0 {forge.pcr(1).hex()}, got {forge.pcr(0).hex()}" in lines
    assert "  binding         skipped  policy failed before" in lines
    assert any(line.startswith("what to do: compare the policy") for line in lines)
    assert "the document says, which nothing here confirms:" in lines
    assert "it proves:" not in lines


def test_a_library_that_warns_of_a_certificate_is_not_heard(tmp_path: Path) -> None:
    leaf = forge.pki().certificates[-1]
    negative = leaf.replace(leaf[13:16], leaf[13:15] + bytes([leaf[15] | 0x80]), 1)
    assert negative != leaf
    file = write(tmp_path, forge.document(certificate=negative))
    assert run(file, *ARCHIVED, *anchored(tmp_path), exit_code=1).stdout.startswith(b"rejected")


def on_a_terminal(*arguments: str, **environment: str) -> bytes:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    done = strongroom(*arguments, stdout=theirs, env=environment)
    os.close(theirs)
    assert done.stderr == b""
    text = b""
    while chunk := _read(ours):
        text += chunk
    os.close(ours)
    return text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux: the other end is closed
        return b""


@pytest.mark.parametrize("asked", [("verify", os.devnull, *ARCHIVED), ("inspect", os.devnull), ("policy", "check")])
def test_colours_only_where_they_are_wanted(asked: tuple[str, ...], tmp_path: Path) -> None:
    if asked[0] == "policy":
        asked = (*asked, policy_file(tmp_path))
    assert b"\x1b[" in on_a_terminal(*asked, NO_COLOR="", TERM="xterm")
    assert b"\x1b" not in on_a_terminal(*asked, NO_COLOR="1")
    assert b"\x1b" not in on_a_terminal(*asked, NO_COLOR="", TERM="dumb")
    assert b"\x1b" not in strongroom(*asked).stdout
