"""The stages of a cold start, as the host sees them: the machine's own signs, then the lines of the log port.

The lines bear no time, so each is taken when it arrives. `boot` is the machine's up to its heartbeat, `imports` up to
the open control port; `configure` begins with the start of the gateway's process.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from strongroom.protocol.constants import BootState
from strongroom.simulator.part import Part
from strongroom.transport.addresses import Address
from strongroom.transport.sockets import dial

_STAGES = {
    BootState.CONFIGURED: "configure",
    BootState.CATALOGUED: "attest",
    BootState.KEY_CHECKED: "key check",
    BootState.RELEASED: "key release",
    BootState.READY: "model load",
}
COLD_START = ["boot", "imports", *_STAGES.values(), "ready"]
_WAIT_S = 180.0

Say = Callable[[str], None]


@dataclass
class Stages:
    """When each stage was over, in seconds from the start; `say` hears of each at once."""

    say: Say
    started: float = field(default_factory=time.monotonic)
    ended: dict[str, float] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    """Why steps failed, and why the enclave ended, in its own words."""

    def reached(self, stage: str) -> None:
        """A stage is over now."""
        if stage not in self.ended:
            before = max(self.ended.values(), default=0.0)
            self.ended[stage] = time.monotonic() - self.started
            self.say(f"{self.ended[stage]:7.2f} s  {stage} ({self.ended[stage] - before:.2f} s)")

    def follow(self, part: Part, log: Address) -> None:
        """Hear of the stages of the machine that `part` is; ends with its log port, or with the last stage."""
        threading.Thread(target=self._follow, args=(part, log), daemon=True).start()

    def _follow(self, part: Part, log: Address) -> None:
        self._await_line(part, "heartbeat")
        self.reached("boot")
        self._await_line(part, "listening")
        self.reached("imports")
        for said in _lines(log):
            if "code" in said:
                self.codes.append(said["code"])
            elif said["event"] == "state" and said["state"] in _STAGES:
                self.reached(_STAGES[BootState(said["state"])])

    def _await_line(self, part: Part, event: str) -> None:
        deadline = self.started + _WAIT_S
        while time.monotonic() < deadline and not part.ended:
            with suppress(OSError):
                if any(f'"{event}"' in line for line in part.log_path.read_text().splitlines()):
                    return
            time.sleep(0.05)


def _lines(log: Address) -> Iterator[dict[str, str]]:
    with suppress(OSError), dial(log, 5.0) as connection, connection.makefile("rb") as lines:
        connection.settimeout(_WAIT_S)
        yield from (json.loads(line) for line in lines)
