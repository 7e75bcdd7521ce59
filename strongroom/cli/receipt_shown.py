"""What was asked and answered, out of a proof bundle and into files, as JSON of docs/protocol.md."""

from pathlib import Path

import msgspec

from attestation.proofs.openings import Opening
from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import write_private
from strongroom.client.shown import shown_events, shown_task


def write_shown(folder: Path, request: Opening | None, response: Opening | None) -> None:
    """Make request.json and response.json of what is shown. Raises CommandFailed if nothing is; Malformed, OSError."""
    shown: dict[str, object] = {}
    if request is not None:
        shown["request.json"] = shown_task(request)
    if response is not None:
        shown["response.json"] = shown_events(response)
    if not shown:
        raise CommandFailed("usage", "--out: expected a request or a response that is shown, got neither", EXIT_USAGE)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in shown.items():
        write_private(folder / name, msgspec.json.encode(content), "xb")
