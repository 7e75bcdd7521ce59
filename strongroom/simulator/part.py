"""One part of the simulated appliance: a process of its own, its output in a log file, its first JSON line awaited."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from strongroom.simulator.console import last_lines

_STOP_S = 5.0
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONDONTWRITEBYTECODE", "COVERAGE_PROCESS_START")


class PartFailed(Exception):
    """A part ended, or did not say in time that it listens; the message ends with its last lines."""


class Part:
    """A child process `python -m MODULE ARGUMENTS`, started with an almost empty environment; it ends with this one."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: list[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._announced: dict[str, Any] | None = None
        self._changed = threading.Condition()
        kept = {key: os.environ[key] for key in _KEPT_VARIABLES if key in os.environ}
        self.process = subprocess.Popen(
            [python, "-m", "strongroom.simulator.leash", module, *arguments],
            cwd=folder,
            env={**kept, "HOME": str(folder), "ORT_DISABLE_TELEMETRY": "1", **(environment or {})},
            stdin=subprocess.PIPE,  # the leash: never written to
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops the parts in order
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_announced(self, timeout_s: float) -> dict[str, Any]:
        """The part's {"event": "listening", …} line; raise PartFailed when it ends or stays silent."""
        with self._changed:
            self._changed.wait_for(lambda: self._announced is not None or self.ended, timeout_s)
            if self._announced is None:
                raise self.failure("did not start")
            return self._announced

    def wait_socket(self, path: Path, timeout_s: float) -> None:
        """Wait for a UNIX socket that the part makes; raise PartFailed as above."""
        deadline = time.monotonic() + timeout_s
        while not path.is_socket():
            if self.ended or time.monotonic() > deadline:
                raise self.failure("did not start")
            time.sleep(0.02)

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def failure(self, what: str) -> PartFailed:
        """An error of one line that quotes the part's last ones."""
        said = f"{self.name} {what} (exit code {self.process.poll()})"
        return PartFailed(" | ".join([said, *last_lines(self.log_path)]))

    def stop(self) -> int:
        """SIGTERM, then SIGKILL after five seconds; the exit code."""
        if not self.ended:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join(_STOP_S)
        return code

    def _read(self) -> None:
        with self.process, self.log_path.open("wb", buffering=0) as log:  # which closes its pipes and waits for it
            for line in self.process.stdout or ():
                with suppress(OSError):  # a full disk costs the log, and not the part, which would write into nothing
                    log.write(line)
                self._notice(line)
        with self._changed:
            self._changed.notify_all()

    def _notice(self, line: bytes) -> None:
        if self._announced is not None or not line.startswith(b"{"):
            return
        try:
            announced = json.loads(line)
        except ValueError:
            return
        if announced.get("event") != "listening":
            return
        with self._changed:
            self._announced = announced
            self._changed.notify_all()
