"""Files for the commands about receipts and logs: an enclave's, as its requester and its gateway hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from strongroom.cli.commands import cli
from strongroom.protocol import canonical
from strongroom.protocol.payloads import ChatTask, Event, GenerationEnd, Message, TextDelta
from tests.attestation.issuing import Enclave, Issued

ANY = "--any-measurement"
TASK = ChatTask([Message("user", "what is a secret?")], max_tokens=8)
EVENTS: list[Event] = [TextDelta("one that"), TextDelta(" is kept"), GenerationEnd("stop", 6, 4)]
COMMITTED_EVENTS: list[Event] = [TextDelta("one that is kept"), GenerationEnd("stop", 6, 4)]


def judged(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a command, run in this process."""
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"], standalone_mode=False)
    assert result.exception is None, result.exception
    return int(result.return_value or 0), json.loads(result.output)


def printed(*arguments: str | Path) -> str:
    """What it prints for people."""
    result = CliRunner().invoke(cli, [*map(str, arguments)], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.output


def answered(enclave: Enclave, **changes: Any) -> Issued:
    """The next receipt of ``enclave``, for TASK and EVENTS."""
    return enclave.issue(canonical.encode(TASK), canonical.encode(COMMITTED_EVENTS), **changes)


def kept(folder: Path, enclave: Enclave, previous: bytes | None = None) -> Path:
    """The folder of one boot below ``folder``, as docs/receipts.md lays it out."""
    boot = folder / enclave.boot_id.hex()
    boot.mkdir(parents=True)
    (boot / "evidence").write_bytes(enclave.evidence.to_bytes())
    (boot / "leaves").write_bytes(b"".join(enclave.leaves))
    records = (len(each).to_bytes(4, "big") + each for each in enclave.checkpoints)
    (boot / "checkpoints").write_bytes(b"".join(records))
    claim = {"version": 1, "boot_id": enclave.boot_id.hex(), "previous": previous.hex() if previous else None}
    (boot / "boot.json").write_text(json.dumps(claim))
    return boot
