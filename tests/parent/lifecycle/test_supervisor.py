"""The supervisor over a launcher that starts nothing, with a clock that does not wait."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

from attestation.eif.errors import UnsoundEIF
from parent.lifecycle import watch
from parent.lifecycle.backoff import Backoff
from parent.lifecycle.errands import Errand, ask
from parent.lifecycle.errors import GaveUp, LaunchFailed, LifecycleError, NeverReady, StateUnusable
from parent.lifecycle.folder import StateFolder
from parent.lifecycle.launcher import Launched, Order
from parent.lifecycle.leftovers import Leftovers, end_leftovers
from parent.lifecycle.record import Record, State
from parent.lifecycle.supervisor import Orders, Says, Supervisor
from tests.parent.lifecycle.support import FakeLauncher, fake_observing, trust


@pytest.fixture(autouse=True)
def observed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "observing", fake_observing)


@pytest.fixture
def launcher(tmp_path: Path) -> FakeLauncher:
    return FakeLauncher(tmp_path)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the supervisor would have waited before each new start."""
    waited: list[float] = []
    after = Backoff.after

    def noted(self: Backoff, ready_s: float) -> float | None:
        delay_s = after(self, ready_s)
        waited.extend([] if delay_s is None else [delay_s])
        return None if delay_s is None else 0.0

    monkeypatch.setattr(Backoff, "after", noted)
    return waited


class Run:
    """A supervisor in a task of its own."""

    def __init__(self, launcher: FakeLauncher, folder: Path, count: int, **options: float) -> None:
        self.folder = StateFolder(folder / "state")
        self.changes: list[tuple[int, State]] = []
        self.readies = 0
        self.deaf = False
        self.unrecorded: list[OSError] = []
        orders = Orders(range(1, count + 1), _order, launcher, trust(), **options)
        says = Says(self._changed, self._ready, unrecorded=self.unrecorded.append)
        self.supervisor = Supervisor(self.folder, orders, says, 4711)
        self.task: asyncio.Task[None] | None = None

    def _changed(self, record: Record) -> None:
        if self.deaf:
            raise BrokenPipeError
        self.changes.append((record.number, record.state))

    def _ready(self) -> None:
        self.readies += 1

    def records(self) -> list[Record]:
        standing = self.folder.read()
        return [] if standing is None else standing.enclaves

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                if self.task is not None and self.task.done():
                    self.task.result()
                await asyncio.sleep(0.005)

    async def until_ready(self, restarts: int = 0) -> None:
        await self.until(
            lambda: (
                {each.state for each in self.records()} == {State.READY}
                and sum(each.restarts for each in self.records()) >= restarts
            )
        )


@asynccontextmanager
async def run(launcher: FakeLauncher, folder: Path, count: int = 1, **options: float) -> AsyncIterator[Run]:
    running = Run(launcher, folder, count, **options)
    with running.folder.held():
        running.task = asyncio.create_task(running.supervisor.run())
        await asyncio.sleep(0)
        try:
            yield running
        finally:
            running.supervisor.stop()
            with suppress(LifecycleError):
                await running.task


def _order(number: int) -> Order:
    return Order(number, 15 + number, 2, 512, None)


async def test_all_are_started_once_and_ended_with_it(launcher: FakeLauncher, tmp_path: Path) -> None:
    async with run(launcher, tmp_path, count=4) as running:
        await running.until(lambda: running.readies == 1)
        assert [record.number for record in running.records()] == [1, 2, 3, 4]
        assert len(launcher.running) == 4
        assert running.records()[2].pcr0 == "ab" * 48
        assert running.changes[0] == (1, State.STARTING)
    assert launcher.running == set()
    assert running.folder.read() is None


async def test_one_that_ended_is_started_again_the_others_stay(
    launcher: FakeLauncher, tmp_path: Path, waits: list[float]
) -> None:
    async with run(launcher, tmp_path, count=2) as running:
        await running.until(lambda: running.readies == 1)
        [first] = [each for each in launcher.started if each.startswith("1.")]
        launcher.code = "kms-access-denied"
        launcher.endings[first] = "exit code 70"
        await running.until_ready(restarts=1)
        one, two = running.records()
        assert (one.restarts, one.ending, two.restarts, two.ending) == (1, "exit code 70, kms-access-denied", 0, None)
        assert len(waits) == 1
        assert 0.5 <= waits[0] <= 1
        assert launcher.terminated == [first]
        assert running.readies == 1


async def test_one_that_ends_again_and_again_is_given_up_aloud(
    launcher: FakeLauncher, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "ending", lambda launched: endings(launched.enclave_id))
    looked: dict[str, int] = {}

    def endings(enclave_id: str) -> str | None:
        looked[enclave_id] = looked.get(enclave_id, 0) + 1
        return "exit code 70" if looked[enclave_id] > 2 else None

    with pytest.raises(GaveUp, match="enclave 1: exit code 70"):
        async with run(launcher, tmp_path) as running:
            await running.until(lambda: False)
    assert len(launcher.started) == 9
    assert len(waits) == 8
    assert running.changes[-1] == (1, State.GIVEN_UP)
    assert launcher.running == set()


async def test_one_given_up_does_not_end_the_others(
    launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backoff, "after", lambda self, ready_s: None)
    async with run(launcher, tmp_path, count=2) as running:
        await running.until(lambda: running.readies == 1)
        launcher.endings["1.0"] = "ended"
        await running.until(lambda: running.records()[0].state is State.GIVEN_UP)
        await asyncio.sleep(0.05)
        assert launcher.running == {"2.1"}


async def test_one_that_was_never_ready_ends_all_with_its_last_lines(launcher: FakeLauncher, tmp_path: Path) -> None:
    launcher.state, launcher.lines = State.BOOTED, [f"line {number}" for number in range(20)]
    launcher.endings["2.1"] = "exit code 70"
    with pytest.raises(NeverReady, match=r"enclave 2 was never ready: exit code 70 \| line 15 .* line 19$"):
        async with run(launcher, tmp_path, count=2) as running:
            await running.until(lambda: False)
    assert launcher.running == set()
    assert running.folder.read() is None


async def test_without_a_log_the_console_is_quoted(launcher: FakeLauncher, tmp_path: Path) -> None:
    launcher.endings["1.0"] = "exit code 1"
    with pytest.raises(NeverReady, match=r"exit code 1 \| Kernel panic - not syncing$"):
        async with run(launcher, tmp_path) as running:
            await running.until(lambda: False)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.BOOTED, "waits to be configured; is the gateway running"),
        (State.CONFIGURED, "ready; the enclave answered"),
        (State.BOOTING, "not ready within 0 s"),
    ],
)
async def test_patience_ends(launcher: FakeLauncher, tmp_path: Path, state: State, said: str) -> None:
    launcher.state = state
    with pytest.raises(NeverReady, match=said):
        async with run(launcher, tmp_path, patience_s=0.02) as running:
            await running.until(lambda: False)
    assert launcher.running == set()


@pytest.mark.parametrize(("age_s", "pause_s"), [(0.0, 0.1), (0.5, 0.1), (2.0, 0.4), (5.0, 1.0), (9e9, 1.0)])
def test_the_younger_an_enclave_the_sooner_it_is_looked_at_again(age_s: float, pause_s: float) -> None:
    assert watch.look_again_s(age_s) == pytest.approx(pause_s)


async def test_a_quick_boot_is_seen_at_once(launcher: FakeLauncher, tmp_path: Path) -> None:
    launcher.state = State.BOOTING
    async with run(launcher, tmp_path) as running:
        await running.until(lambda: len(launcher.waits) > 1)
    assert launcher.waits[0] == pytest.approx(0.1)


async def test_one_that_was_ready_may_lose_it_for_longer_than_patience(launcher: FakeLauncher, tmp_path: Path) -> None:
    async with run(launcher, tmp_path, patience_s=0.02) as running:
        await running.until(lambda: running.readies == 1)
        launcher.state = State.CONFIGURED
        await running.until(lambda: running.records()[0].state is State.CONFIGURED)
        await asyncio.sleep(0.1)
        assert launcher.terminated == []


async def test_a_launcher_that_refuses_ends_all(launcher: FakeLauncher, tmp_path: Path) -> None:
    launcher.refuses = True
    with pytest.raises(LaunchFailed, match="E27"):
        async with run(launcher, tmp_path) as running:
            await running.until(lambda: False)


async def test_a_launcher_that_refuses_later_is_asked_again(
    launcher: FakeLauncher, tmp_path: Path, waits: list[float]
) -> None:
    async with run(launcher, tmp_path) as running:
        await running.until(lambda: running.readies == 1)
        launcher.refuses = True
        launcher.endings["1.0"] = "ended"
        await running.until(lambda: len(waits) > 2)
        launcher.refuses = False
        await running.until_ready(restarts=2)


async def test_an_image_that_became_unsound_is_tried_again(
    launcher: FakeLauncher, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run(launcher, tmp_path) as running:
        await running.until(lambda: running.readies == 1)
        with monkeypatch.context() as broken:
            broken.setattr(launcher, "start", raising(UnsoundEIF("crc", "a CRC", "another")))
            launcher.endings["1.0"] = "ended"
            await running.until(lambda: len(waits) > 2)
            assert running.records()[0].ending == "EIF: expected a CRC, got another"
        await running.until_ready(restarts=2)


def raising(error: Exception) -> Callable[[Order], Launched]:
    def start(_: Order) -> Launched:
        raise error

    return start


async def test_an_end_that_stumbles_is_asked_for_again(
    launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_END_PAUSES_S", (0.0, 0.0))
    async with run(launcher, tmp_path) as running:
        await running.until(lambda: running.readies == 1)
        launcher.stumbles = 2
    assert launcher.running == set()


async def test_one_that_cannot_be_ended_is_said_and_not_forgotten(
    launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_END_PAUSES_S", (0.0, 0.0))
    running = Run(launcher, tmp_path, 2)
    with running.folder.held():
        task = asyncio.create_task(running.supervisor.run())
        await running.until(lambda: running.readies == 1)
        launcher.stumbles = 100
        with pytest.raises(StateUnusable, match="E39"):
            await asyncio.to_thread(ask, running.folder.errands, Errand("restart", 1))
        running.supervisor.stop()
        with pytest.raises(LaunchFailed, match="E39"):
            await task
    assert running.records()[1].enclave_id == "2.1"


async def test_starts_come_one_at_a_time(launcher: FakeLauncher, tmp_path: Path) -> None:
    async with run(launcher, tmp_path, count=4) as running:
        await running.until(lambda: running.readies == 1)
    assert len(launcher.started) == 4
    assert launcher.most_at_once == 1


async def test_a_start_that_takes_long_is_not_waited_for(launcher: FakeLauncher, tmp_path: Path) -> None:
    launcher.never_starts = True
    async with run(launcher, tmp_path) as running:
        await running.until(lambda: launcher.starting == 1)
        running.supervisor.stop()
        assert running.task is not None
        await asyncio.wait_for(running.task, 5)
    assert launcher.started == []
    assert running.folder.read() is None


async def test_one_that_is_stopped_twice_while_it_starts_is_ended(
    launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, begun, go = launcher.start, threading.Event(), threading.Event()

    def slow(order: Order) -> Launched:
        begun.set()
        go.wait()
        return start(order)

    monkeypatch.setattr(launcher, "start", slow)
    async with run(launcher, tmp_path) as running:
        await running.until(begun.is_set)
        asked = asyncio.create_task(asyncio.to_thread(ask, running.folder.errands, Errand("stop", 1)))
        await running.until(launcher.abandoned.is_set)
        running.supervisor.stop()
        await asyncio.sleep(0.05)
        go.set()
        with suppress(StateUnusable):  # whoever asked may be left without an answer
            await asked
    assert len(launcher.started) == 1
    assert launcher.running == set()


async def test_stop_and_restart_of_one(launcher: FakeLauncher, tmp_path: Path) -> None:
    async with run(launcher, tmp_path, count=2) as running:
        await running.until(lambda: running.readies == 1)
        await asyncio.to_thread(ask, running.folder.errands, Errand("stop", 2))
        assert launcher.running == {"1.0"}
        assert [record.state for record in running.records()] == [State.READY, State.STOPPED]
        await asyncio.to_thread(ask, running.folder.errands, Errand("restart", 2))
        await running.until_ready()
        assert launcher.running == {"1.0", "2.2"}
        await asyncio.to_thread(ask, running.folder.errands, Errand("restart", 1))
        await running.until_ready()
        assert launcher.running == {"1.3", "2.2"}


async def test_what_one_said_before_it_was_stopped_is_kept(launcher: FakeLauncher, tmp_path: Path) -> None:
    launcher.lines = ["a", "b"]
    async with run(launcher, tmp_path, count=2) as running:
        await running.until(lambda: running.readies == 1)
        await asyncio.to_thread(ask, running.folder.errands, Errand("stop", 1))
        assert (running.records()[0].ending, running.records()[0].last_lines) == ("stopped", ["a", "b"])


async def test_the_only_one_can_be_restarted(launcher: FakeLauncher, tmp_path: Path) -> None:
    async with run(launcher, tmp_path) as running:
        for life in range(1, 6):
            await running.until_ready()
            await asyncio.to_thread(ask, running.folder.errands, Errand("restart"))
            await running.until_ready()
            assert launcher.running == {f"1.{life}"}


async def test_stop_of_all_ends_it(launcher: FakeLauncher, tmp_path: Path) -> None:
    async with run(launcher, tmp_path, count=2) as running:
        await running.until(lambda: running.readies == 1)
        await asyncio.to_thread(ask, running.folder.errands, Errand("stop"))
        assert running.task is not None
        await asyncio.wait_for(running.task, 5)
        assert launcher.running == set()


async def test_errands_that_are_none(launcher: FakeLauncher, tmp_path: Path) -> None:
    async with run(launcher, tmp_path) as running:
        await running.until(lambda: running.readies == 1)
        with pytest.raises(StateUnusable, match="expected a number from 1 to 1, got 2"):
            await asyncio.to_thread(ask, running.folder.errands, Errand("stop", 2))
        nonsense = (b"\n", b"{}\n", b'{"do": "dance"}\n', b"[" * 4000 + b"\n")
        for line, said in (*((each, b"expected an errand") for each in nonsense), (b"x" * 5000 + b"\n", b"")):
            reader, writer = await asyncio.open_unix_connection(running.folder.errands.path)
            writer.write(line)
            assert said in (answer := await reader.read())
            assert bool(said) == bool(answer)
            writer.close()
        assert launcher.running == {"1.0"}


async def test_a_full_disk_and_a_closed_output_end_no_enclave_that_was_ready(
    launcher: FakeLauncher, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run(launcher, tmp_path, count=2) as running:
        await running.until(lambda: running.readies == 1)
        written = [each.enclave_id for each in running.records()]
        with monkeypatch.context() as full:
            full.setattr(running.folder, "write", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
            running.deaf = True
            launcher.endings["1.0"] = "exit code 70"
            await running.until(lambda: launcher.running == {"1.2", "2.1"})
            await asyncio.sleep(0.05)
            assert [each.enclave_id for each in running.records()] == written
        await running.until_ready(restarts=1)  # with nothing new to say
        assert [each.enclave_id for each in running.records()] == ["1.2", "2.1"]
        assert [each.errno for each in running.unrecorded] == [errno.ENOSPC]


async def test_what_cannot_be_recorded_is_not_started(
    launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StateFolder, "write", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        async with run(launcher, tmp_path) as running:
            await running.until(lambda: False)
    assert launcher.started == []


async def test_what_beside_raises_ends_all(launcher: FakeLauncher, tmp_path: Path) -> None:
    def broken() -> None:
        raise LaunchFailed("kms ended")

    running = Run(launcher, tmp_path, 1)
    running.supervisor._says = Says(beside=broken)
    with running.folder.held(), pytest.raises(LaunchFailed, match="kms ended"):
        await running.supervisor.run()
    assert launcher.running == set()


async def test_what_a_killed_supervisor_left_is_ended(launcher: FakeLauncher, tmp_path: Path) -> None:
    async with run(launcher, tmp_path) as running:
        await running.until(lambda: running.readies == 1)
        left = running.folder.read()
    assert left is not None
    running.folder.write(left)
    assert not running.folder.supervised
    assert end_leftovers(running.folder, {"other": launcher}) == Leftovers([], [])
    running.folder.write(left)
    launcher.terminated.clear()
    assert end_leftovers(running.folder, {"fake": launcher}) == Leftovers(["1.0"], [])
    assert launcher.terminated == ["1.0"]
    running.folder.errands.path.touch()
    assert end_leftovers(running.folder, {"fake": launcher}) == Leftovers([], [])
    assert not running.folder.errands.path.exists()
