"""The only door to onnxruntime: it opens when its telemetry is off.

The Linux wheels of onnxruntime >= 1.29 carry an uploader that is on by default: it writes device identifiers and
session errors below HOME and opens sockets. ORT_DISABLE_TELEMETRY=1 before the first import is the one switch that
works; set after the import it changes nothing, and neither does `disable_telemetry_events()`.
"""

import importlib
import os
import sys
from typing import Any

VARIABLE = "ORT_DISABLE_TELEMETRY"


class TelemetryNotDisabled(Exception):
    """onnxruntime is, or would be, in this process with its telemetry on: the process must not go on."""


def forbid_telemetry() -> None:
    """Switch the telemetry off for this process; call before anything can import onnxruntime.

    Raises TelemetryNotDisabled if onnxruntime was imported while the switch was not set.
    """
    if "onnxruntime" not in sys.modules:
        os.environ[VARIABLE] = "1"
    _require_switch()


def import_onnxruntime() -> Any:
    """The onnxruntime module; raise TelemetryNotDisabled unless the switch is set."""
    _require_switch()
    return importlib.import_module("onnxruntime")


def _require_switch() -> None:
    if (actual := os.environ.get(VARIABLE)) != "1":
        raise TelemetryNotDisabled(
            f"expected {VARIABLE}=1 before onnxruntime is imported, got {actual!r}; call forbid_telemetry() first"
        )
