"""The launcher of simulated enclaves: parts of one appliance, the others of which run beside the supervisor."""

from parent.lifecycle.errors import LaunchFailed
from parent.lifecycle.launcher import Launched, Order
from parent.lifecycle.tail import KEPT_LINES
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.console import last_lines
from strongroom.simulator.part import Part, PartFailed
from strongroom.simulator.sockets import numbered


class SimulatorLauncher:
    """Processes or booted machines, by the appliance's form. They are on the leash of this process, and end with it."""

    def __init__(self, appliance: Appliance, name: str = "simulator") -> None:
        self.name = name
        self._appliance = appliance
        self._parts: dict[str, Part] = {}
        self._pcr0 = appliance.form.pcrs()[0].hex()

    def start(self, order: Order) -> Launched:
        """Start the part of that number, and wait until it can be configured."""
        name = numbered("enclave", order.number)
        addresses = self._appliance.form.addresses(self._appliance.folder, order.number)
        self._parts[name] = part = self._appliance.begin_enclave(order.number)
        try:
            self._appliance.form.wait_started(part, order.number)
        except PartFailed as failure:
            self.terminate(name)
            raise LaunchFailed(str(failure)) from None
        return Launched(name, part.process.pid, None, self._pcr0, addresses.api, addresses.control, addresses.log)

    def abandon(self, number: int) -> None:
        """SIGTERM, which is the end of a boot that would take minutes."""
        if part := self._parts.get(numbered("enclave", number)):
            part.process.terminate()

    def ending(self, launched: Launched) -> str | None:
        """The exit code: 70 for a refusal, a negative signal for one that was killed."""
        part = self._parts[launched.enclave_id]
        return f"exit code {part.process.poll()}" if part.ended else None

    def terminate(self, enclave_id: str) -> None:
        """SIGTERM, then SIGKILL."""
        if part := self._parts.pop(enclave_id, None):
            part.stop()

    def console(self, launched: Launched) -> list[str]:
        """Of a machine its console; of a process what it printed, which is nothing unless its start failed."""
        name = launched.enclave_id.replace("enclave", self._appliance.form.console)
        return last_lines(self._appliance.folder / f"{name}.log", KEPT_LINES)
