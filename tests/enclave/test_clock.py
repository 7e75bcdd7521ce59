"""In the image the NSM's time drives the system's clock, which TLS and AWS's signatures read (R19)."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from enclave.addresses import Addresses
from enclave.clock import Clock
from enclave.errors import ClockFault
from enclave.server import Enclave
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.transport.addresses import UnixAddress
from tests.appliance.control import step
from tests.enclave.deployment import IMAGE, PKI, Booting

NOW_MS = 1_790_000_000_000


def nsm_at(now: list[int]) -> SoftwareNSM:
    return SoftwareNSM(
        PKI, image_pcrs=IMAGE, parent_role_arn=None, parent_instance_id="i-0123456789abcdef0", clock=lambda: now[0]
    )


def refusing(_: int) -> None:
    raise PermissionError("CANARY")


def test_the_systems_clock_is_set_at_once_and_at_every_refresh() -> None:
    now, ticks, seen = [NOW_MS], [0], list[int]()
    nsm = nsm_at(now)
    clock = Clock(nsm.attest(), monotonic_ns=lambda: ticks[0])
    ticks[0] += 250_000_000
    clock.drive(seen.append)
    now[0] += 50_000
    clock.refresh(nsm.attest())
    assert seen == [NOW_MS + 250, NOW_MS + 50_000]


def test_a_clock_that_drives_nothing_leaves_the_systems_alone() -> None:
    now = [NOW_MS]
    nsm = nsm_at(now)
    Clock(nsm.attest()).refresh(nsm.attest())


def test_a_system_that_refuses_is_a_fault() -> None:
    now = [NOW_MS]
    nsm = nsm_at(now)
    clock = Clock(nsm.attest())
    with pytest.raises(ClockFault, match="refused") as caught:
        clock.drive(refusing)
    assert "CANARY" not in str(caught.value)
    with pytest.raises(ClockFault):
        clock.refresh(nsm.attest())


def test_a_time_that_went_backwards_is_not_given_to_the_system() -> None:
    now, seen = [NOW_MS], list[int]()
    nsm = nsm_at(now)
    clock = Clock(nsm.attest(), monotonic_ns=lambda: 0)
    clock.drive(seen.append)
    now[0] -= 1
    with pytest.raises(ClockFault):
        clock.refresh(nsm.attest())
    assert seen == [NOW_MS]


async def boot(folder: Path, booting: Booting, set_system_clock: Callable[[int], None]) -> tuple[int, bytes]:
    """Take the first two steps, then SIGTERM's; the exit code and the log."""
    addresses = Addresses(*(UnixAddress(folder / name) for name in ("api", "control", "log", "proxy")))
    enclave = Enclave(booting.nsm, addresses, set_system_clock)
    running = asyncio.create_task(enclave.run())
    await asyncio.to_thread(wait_for, folder / "control")
    for path, body in (("configuration", booting.configuration_bytes), ("catalogue", booting.catalogue_bytes)):
        await asyncio.to_thread(step, folder / "control", "PUT", f"/boot/{path}", body)
    enclave._ended.set()
    return await asyncio.wait_for(running, 10), b"".join(enclave._log._lines)


def wait_for(path: Path) -> None:
    while not path.is_socket():
        time.sleep(0.01)


@pytest.fixture
def no_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests goes on."""
    monkeypatch.setattr("enclave.server._exit_within", lambda *_: None)


@pytest.mark.usefixtures("no_exit")
async def test_it_is_set_before_kms_can_be_called(tensor_dir: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    code, log = await boot(tmp_path, Booting([tensor_dir], nsm=nsm_at([NOW_MS])), seen.append)
    assert (code, b'"catalogued"' in log) == (0, True)
    [first_ms] = seen
    assert 0 <= first_ms - NOW_MS < 10_000


@pytest.mark.usefixtures("no_exit")
async def test_a_system_that_refuses_ends_the_enclave(tensor_dir: Path, tmp_path: Path) -> None:
    code, log = await boot(tmp_path, Booting([tensor_dir]), refusing)
    assert code == 70
    assert b'"catalogued"' not in log
    assert b"clock-fault" in log


_IMAGE = """
import json, enclave.__main__ as image
image.forbid_dumps = lambda: None
bound = []
image.bound_memory = bound.append
import enclave.clock, enclave.entropy, enclave.nsm.device, enclave.server
enclave.entropy.require_nsm_entropy = lambda: None
enclave.nsm.device.DeviceNSM.open = lambda: "the device"
seeded = []
enclave.entropy.seed_kernel = seeded.append
def run(nsm, addresses, set_system_clock):
    print(json.dumps([nsm, seeded, set_system_clock is enclave.clock.set_system_clock, len(bound)]))
    return 0
enclave.server.run = run
image.main()
"""


def test_the_image_injects_the_real_one_and_the_simulator_none() -> None:
    printed = subprocess.run([sys.executable, "-c", _IMAGE], capture_output=True, check=True, timeout=30).stdout
    assert json.loads(printed) == ["the device", ["the device"], True, 1]
    simulator = Path(__file__).parents[2] / "strongroom" / "simulator" / "enclave.py"
    assert "return run(nsm, enclave_addresses(arguments.sockets, arguments.number))" in simulator.read_text()


_SETTING = """
import time
set_to = []
time.clock_settime_ns = lambda clock, ns: set_to.append((clock, ns))
from enclave.clock import set_system_clock
set_system_clock(1_790_000_000_123)
print(set_to == [(time.CLOCK_REALTIME, 1_790_000_000_123_000_000)])
"""


def test_it_is_the_wall_clock_in_nanoseconds() -> None:
    printed = subprocess.run([sys.executable, "-c", _SETTING], capture_output=True, check=True, timeout=30).stdout
    assert printed == b"True\n"
