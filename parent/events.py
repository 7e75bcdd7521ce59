"""The parent's own log: one JSON object per line on standard output, never with content."""

import json
import sys


def emit(event: str, **fields: str | int | bool | None) -> None:
    """Write one event. Callers pass names, numbers and codes only: no bodies, headers or credentials."""
    sys.stdout.write(json.dumps({"event": event, **fields}, separators=(",", ":")) + "\n")
    sys.stdout.flush()
