"""The enclave's time is the NSM's: kept fresh through every step, whatever the host's clock says (R19)."""

import ast
import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import enclave
import strongroom.protocol
import strongroom.transport
from enclave.addresses import Addresses
from enclave.clock import REFRESH_DEADLINE_S, REFRESH_S, Clock
from enclave.errors import KMSUnreachable
from enclave.kms.credentials import PushedCredentialProvider, PushedCredentials
from enclave.kms.data_keys import DataKeys
from enclave.nsm.interface import NSMTruncated
from enclave.server import Enclave
from enclave.serving.refused import Refused
from strongroom.protocol.configuration import KeyEntry, Limits, Windows
from strongroom.protocol.constants import BootState
from strongroom.transport.addresses import UnixAddress
from tests.appliance.control import step
from tests.enclave.caller import Caller
from tests.enclave.deployment import ARN, Booting
from tests.enclave.test_clock import NOW_MS, nsm_at

DAY_S = 86_400
PERIOD_S = 0.02


def test_a_refresh_is_over_within_a_minute_of_the_last() -> None:
    assert REFRESH_S + REFRESH_DEADLINE_S < 60


# The one who keeps it.


class Counting:
    """An NSM whose documents are counted, or made as `act` has it."""

    def __init__(self) -> None:
        self.documents = 0
        self.act: Callable[[], None] = lambda: None
        self.now = [NOW_MS]
        self._nsm = nsm_at(self.now)

    def __getattr__(self, name: str) -> object:
        return getattr(self._nsm, name)

    def attest(self, **fields: bytes | None) -> bytes:
        self.documents += 1
        self.act()
        return self._nsm.attest(**fields)


@pytest.fixture
def nsm(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """One whose enclave refreshes its time without waiting, in a process that goes on."""
    monkeypatch.setattr("enclave.server.REFRESH_S", PERIOD_S)
    monkeypatch.setattr("enclave.server.REFRESH_DEADLINE_S", 0.2)
    monkeypatch.setattr("enclave.server._exit_within", lambda *_: None)
    return Counting()


@asynccontextmanager
async def running(nsm: Counting, folder: Path) -> AsyncIterator[tuple[Enclave, "asyncio.Task[int]"]]:
    addresses = Addresses(*(UnixAddress(folder / name) for name in ("api", "control", "log", "proxy")))
    enclave = Enclave(nsm, addresses)  # type: ignore[arg-type]  # what it does not count it hands on
    task = asyncio.create_task(enclave.run())
    await until(lambda: (folder / "control").is_socket())
    try:
        yield enclave, task
    finally:
        enclave._ended.set()
        await asyncio.wait_for(task, 10)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


async def to_catalogued(folder: Path, package: Path) -> None:
    booting = Booting([package])
    for path, body in (("configuration", booting.configuration_bytes), ("catalogue", booting.catalogue_bytes)):
        await asyncio.to_thread(step, folder / "control", "PUT", f"/boot/{path}", body)


def codes_of(enclave: Enclave) -> list[bytes]:
    return [line for line in enclave._log._lines if b'"ended"' in line]


async def test_time_is_refreshed_from_the_catalogue_on_while_a_step_takes_long(
    nsm: Counting, tensor_dir: Path, tmp_path: Path
) -> None:
    async with running(nsm, tmp_path) as (enclave, _):
        await asyncio.sleep(3 * PERIOD_S)
        assert nsm.documents == 0
        await to_catalogued(tmp_path, tensor_dir)
        async with enclave._boot._step:
            seen = nsm.documents
            nsm.now[0] += 3 * DAY_S * 1000
            await until(lambda: nsm.documents >= seen + 3)
            assert enclave._boot.identity.clock.now_ms() >= nsm.now[0]
        assert enclave._boot.state is BootState.CATALOGUED
    assert codes_of(enclave) == []


async def test_it_ends_with_the_enclave(nsm: Counting, tensor_dir: Path, tmp_path: Path) -> None:
    async with running(nsm, tmp_path):
        await to_catalogued(tmp_path, tensor_dir)
        await until(lambda: nsm.documents > 2)
    seen = nsm.documents
    await asyncio.sleep(5 * PERIOD_S)
    assert nsm.documents == seen


def backwards(nsm: Counting) -> None:
    nsm.now[0] -= 1


def truncated(_: Counting) -> None:
    raise NSMTruncated("CANARY")


def hanging(_: Counting) -> None:
    threading.Event().wait(1)


@pytest.mark.parametrize(
    ("fault", "code"), [(backwards, b"clock-fault"), (truncated, b"nsm-error"), (hanging, b"clock-fault")]
)
async def test_a_refresh_that_fails_ends_the_enclave_before_it_is_ready(
    nsm: Counting, tensor_dir: Path, tmp_path: Path, fault: Callable[[Counting], None], code: bytes
) -> None:
    async with running(nsm, tmp_path) as (enclave, task):
        await to_catalogued(tmp_path, tensor_dir)
        nsm.act = lambda: fault(nsm)
        assert await asyncio.wait_for(task, 10) == 70
    assert [code in line for line in codes_of(enclave)] == [True]
    assert b"CANARY" not in b"".join(enclave._log._lines)


async def test_callers_that_keep_every_other_thread_busy_do_not_delay_it(
    nsm: Counting, tensor_dir: Path, tmp_path: Path
) -> None:
    release = threading.Event()
    async with running(nsm, tmp_path):
        await to_catalogued(tmp_path, tensor_dir)
        callers = [asyncio.create_task(asyncio.to_thread(release.wait, 10)) for _ in range(64)]
        try:
            seen = nsm.documents
            await until(lambda: nsm.documents >= seen + 3)
        finally:
            release.set()
            await asyncio.gather(*callers)


# Its verdicts, with the host's clock a day slow, right, and a day fast.


@pytest.fixture(params=[-DAY_S, 0, DAY_S], ids=["a day slow", "right", "a day fast"])
def host_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process reads as the wall clock's time."""
    wall_ns = (NOW_MS // 1000 + int(request.param)) * 1_000_000_000
    monkeypatch.setattr(time, "time", lambda: wall_ns / 1e9)
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns)


@pytest.mark.usefixtures("host_clock")
async def test_the_hosts_clock_moves_no_window_of_requests(decoder_dir: Path) -> None:
    booting = Booting([decoder_dir], nsm=nsm_at([NOW_MS]))
    caller = Caller(booting, await booting.to_service())
    window_ms = booting.configuration.windows.request_s * 1000
    verdicts = [await admitted(caller, age_ms) for age_ms in (0, window_ms - 999, window_ms + 1, 999 - window_ms)]
    assert verdicts == [True, True, False, True]
    assert not await admitted(caller, -window_ms - 60_000)


async def admitted(caller: Caller, age_ms: int) -> bool:
    try:
        await caller.service.open(caller.seal(age_ms=age_ms))
    except Refused:
        return False
    return True


class Ticking:
    """A clock of the enclave whose monotonic time moves when told."""

    def __init__(self) -> None:
        self.elapsed_ms = 0
        self.clock = Clock(nsm_at([NOW_MS]).attest(), monotonic_ns=lambda: self.elapsed_ms * 1_000_000)


@pytest.mark.usefixtures("host_clock")
def test_the_hosts_clock_neither_prolongs_nor_ends_credentials() -> None:
    time_of = Ticking()
    provider = PushedCredentialProvider(time_of.clock.now_ms)
    provider.push(PushedCredentials("A", "S", "", NOW_MS + 1000))
    held = provider.load()
    time_of.elapsed_ms = 999
    assert held.get_frozen_credentials().access_key == "A"
    time_of.elapsed_ms = 1000
    with pytest.raises(KMSUnreachable, match="expired"):
        held.get_frozen_credentials()


@pytest.mark.usefixtures("host_clock")
async def test_the_hosts_clock_neither_prolongs_nor_ends_a_data_key() -> None:
    time_of, asked = Ticking(), list[bytes]()

    def unwrap(_: KeyEntry, __: dict[str, str], wrapped: bytes) -> bytes:
        asked.append(wrapped)
        return bytes(32)

    keys, entry = DataKeys(unwrap, Limits(), Windows(data_key_ttl_s=10)), KeyEntry("requests", "request", "demo", ARN)
    for elapsed_ms, calls in ((0, 1), (9_999, 1), (10_000, 2)):
        time_of.elapsed_ms = elapsed_ms
        await keys.get(entry, entry.fixed_context, b"wrapped", time_of.clock.now_ms())
        assert len(asked) == calls
    keys.close()


WALL_CLOCK = {"time", "time_ns", "clock_gettime", "clock_gettime_ns", "gmtime", "localtime", "ctime", "strftime"}


@pytest.mark.parametrize("package", [enclave, strongroom.protocol, strongroom.transport])
def test_no_module_of_ours_in_the_enclave_reads_the_wall_clock(package: object) -> None:
    [folder] = package.__path__  # type: ignore[attr-defined]  # a package has one
    for path in Path(folder).rglob("*.py"):
        assert not list(readings(ast.parse(path.read_text()))), path


def readings(tree: ast.Module) -> list[str]:
    attributes = [each for each in ast.walk(tree) if isinstance(each, ast.Attribute)]
    imports = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom) and each.module == "time"]
    modules = [alias.name for each in ast.walk(tree) if isinstance(each, ast.Import) for alias in each.names]
    froms = [each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    read = [each.attr for each in attributes if isinstance(each.value, ast.Name) and each.value.id == "time"]
    return [
        *(name for name in read if name in WALL_CLOCK),
        *(alias.name for each in imports for alias in each.names if alias.name in WALL_CLOCK),
        *(name for name in (*modules, *froms) if name == "datetime"),
    ]


@pytest.mark.parametrize(
    "source",
    ["import time\ntime.time()", "from time import time_ns", "import datetime", "from datetime import UTC"],
)
def test_such_a_reading_is_found(source: str) -> None:
    assert readings(ast.parse(source))
