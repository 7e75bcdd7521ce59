"""The provisioner against a scripted control interface: strict order, retries, restarts, refreshes."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from parent.control import Control
from parent.credentials import Credentials
from parent.delivery import SealedModel
from parent.errors import (
    CredentialsUnavailable,
    EnclaveBroken,
    EnclaveUnreachable,
    SourceUnusable,
    StepPostponed,
    StepRefused,
)
from parent.link import EnclaveLink
from parent.pace import Pace
from parent.provisioner import Provisioner
from parent.settings import EnclaveAddresses, Settings, Sources
from strongroom.protocol.constants import BootState
from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES, SealedWeightsHead
from strongroom.protocol.problems import Problem
from strongroom.transport.addresses import UnixAddress
from tests.parent.support import Exchange, FakeEnclave, enclave_at, eventually, gateway_to

MODELS = ("alpha", "beta")
SIZES = {"alpha": 3 * WEIGHTS_CHUNK_BYTES + 5, "beta": 1}
SECRET = "wJalrXUtnFEMI-secret"
SEGMENTS = {"alpha": {"0/2", "1/2"}, "beta": {"0/1"}}
"""First chunk and step of each model's segments over two streams."""
PACE = Pace(watch_s=0.005, retry_s=0.005, max_retry_s=0.02, max_unreached_s=0.02, refresh_s=300)


@dataclass
class Script(FakeEnclave):
    """The control interface as control.md has it: any other order is an error of the test."""

    state: BootState = BootState.BOOTED
    steps: list[str] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    unreachable_kms: list[str] = field(default_factory=list)
    refuse: str = ""
    released: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)
    segments: dict[str, set[str]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        if scope["method"] == "GET":
            await exchange.answer(200, "application/json", json.dumps({"state": self.state}).encode())
            return
        assert scope["method"] == "PUT"
        step = scope["path"].removeprefix("/boot/")
        body = await exchange.body()
        if step in self.unreachable_kms:
            self.unreachable_kms.remove(step)
            self.steps.append(step + " 503")
            await exchange.answer(503, "application/problem+json", b"")
            return
        self.steps.append(step)
        self.bodies[step] = body
        status = 400 if step == self.refuse else 204
        if status == 204:
            self._take(step)
            await self._hold(step)
        await exchange.answer(status, "", b"")

    def reboot(self) -> None:
        self.state = BootState.BOOTED
        self.released.clear()
        self.loaded.clear()
        self.segments.clear()
        self.steps.clear()

    def _take(self, step: str) -> None:
        match step.split("/"):
            case ["configuration"]:
                self._move(BootState.BOOTED, BootState.CONFIGURED)
            case ["catalogue"]:
                self._move(BootState.CONFIGURED, BootState.CATALOGUED)
            case ["credentials"]:
                assert self.state not in (BootState.BOOTED, BootState.CONFIGURED)
            case ["key-check"]:
                assert "credentials" in self.steps
                self._move(BootState.CATALOGUED, BootState.KEY_CHECKED)
            case ["models", model, "head"]:
                self._once(self.released, model, BootState.KEY_CHECKED, BootState.RELEASED)
            case ["models", model, "weights", first, step]:
                assert self.state is BootState.RELEASED
                self.segments.setdefault(model, set()).add(f"{first}/{step}")
                if self.segments[model] == SEGMENTS[model]:
                    self._once(self.loaded, model, BootState.RELEASED, BootState.READY)
            case _:
                raise AssertionError(step)

    async def _hold(self, step: str) -> None:
        """As the enclave does: no segment is answered before all of its model have come."""
        match step.split("/"):
            case ["models", model, "weights", _, _]:
                await eventually(lambda: model in self.loaded or self.state is not BootState.RELEASED)

    def _move(self, expected: BootState, then: BootState) -> None:
        assert self.state is expected
        self.state = then

    def _once(self, done: set[str], model: str, expected: BootState, then: BootState) -> None:
        assert self.state is expected
        assert model not in done
        done.add(model)
        if done == set(MODELS):
            self.state = then


@dataclass
class Clock:
    at_ms: int = 1_000_000

    def now_ms(self) -> int:
        return self.at_ms


def head_of(model: str) -> SealedWeightsHead:
    return SealedWeightsHead(model, "1", bytes(32), SIZES[model], b"wrapped")


def weights_of(model: str) -> bytes:
    """As long as the head says; what stands there is for the enclave to judge."""
    head = head_of(model)
    return random.Random(model).randbytes(head.segment_bytes(0, head.chunks))


def chunk_of(model: str, index: int) -> bytes:
    head = head_of(model)
    return weights_of(model)[head.segment_bytes(0, index) : head.segment_bytes(0, index + 1)]


def sources_in(folder: Path) -> Sources:
    (folder / "configuration.toml").write_bytes(b"configuration")
    catalogue = "version = 1\n" + "".join(f'[[model]]\nid = "{model}"\n' for model in MODELS)
    (folder / "catalogue.toml").write_text(catalogue)
    for model in MODELS:
        (folder / f"{model}.sealed").write_bytes(head_of(model).to_bytes() + weights_of(model))
    return Sources(folder / "configuration.toml", folder / "catalogue.toml", folder)


def credentials(at_ms: int) -> Credentials:
    return Credentials("AKIA", SECRET, "", at_ms + 3_600_000)


@asynccontextmanager
async def provisioning(folder: Path, clock: Clock | None = None, **options: object) -> AsyncIterator[Provisioner]:
    link = EnclaveLink(UnixAddress(folder / "control"), timeout_s=5, max_exchanges=2)
    async with link:
        control = Control(link, step_timeout_s=5)
        clock = clock or Clock()
        given = {"sources": sources_in(folder), "read_credentials": credentials, "weight_streams": 2, "pace": PACE}
        given |= options
        yield Provisioner(control, now_ms=clock.now_ms, **given)  # type: ignore[arg-type]  # test options


@asynccontextmanager
async def beside(provisioner: Provisioner) -> AsyncIterator[None]:
    task = asyncio.create_task(provisioner.run())
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        assert not task.done() or task.cancelled(), task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_ready(script: Script) -> None:
    await eventually(lambda: script.state is BootState.READY)


ORDER = [
    "configuration",
    "catalogue",
    "credentials",
    "key-check",
    *(f"models/{model}/head" for model in MODELS),
    "models/beta/weights/0/1",
    "models/alpha/weights/0/2",
    "models/alpha/weights/1/2",
]


def in_order(steps: Iterable[str]) -> list[str]:
    """The steps; the segments of one model, which come side by side, sorted."""
    grouped = groupby(steps, key=lambda step: step.rpartition("/weights/")[0] or step)
    return [step for _, group in grouped for step in sorted(group)]


async def test_the_steps_come_in_order_with_the_files_bytes(tmp_path: Path) -> None:
    script = Script()
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner, beside(provisioner):
        await until_ready(script)
    assert in_order(script.steps) == ORDER
    assert script.bodies["configuration"] == b"configuration"
    assert script.bodies["catalogue"] == (tmp_path / "catalogue.toml").read_bytes()
    assert script.bodies["key-check"] == b""
    assert script.bodies["models/alpha/head"] == head_of("alpha").to_bytes()
    assert script.bodies["models/alpha/weights/0/2"] == chunk_of("alpha", 0) + chunk_of("alpha", 2)
    assert script.bodies["models/alpha/weights/1/2"] == chunk_of("alpha", 1) + chunk_of("alpha", 3)
    assert script.bodies["models/beta/weights/0/1"] == weights_of("beta")
    assert json.loads(script.bodies["credentials"]) == {
        "access_key_id": "AKIA",
        "secret_access_key": SECRET,
        "session_token": "",
        "expires_ms": 4_600_000,
    }


async def test_an_unreachable_kms_is_retried_and_nothing_else_repeated(tmp_path: Path) -> None:
    script = Script(unreachable_kms=["key-check", "key-check", "models/beta/head"])
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner, beside(provisioner):
        await until_ready(script)
    assert in_order(step for step in script.steps if not step.endswith(" 503")) == ORDER
    assert script.steps.count("key-check 503") == 2
    assert script.steps.count("models/beta/head 503") == 1


async def test_an_enclave_that_comes_late_is_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with provisioning(tmp_path) as provisioner, beside(provisioner):
        await eventually(lambda: "EnclaveUnreachable" in capfd.readouterr().out)
        assert not provisioner.starting
        script = Script()
        async with enclave_at(tmp_path / "control", script):
            await until_ready(script)


async def test_a_slow_boot_is_seen_within_two_seconds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of an enclave that listens after 35 seconds, and then asks to wait: by a clock that only sleeping moves."""
    script = Script(unreachable_kms=["key-check"] * 7)
    unreached: list[float] = []
    answered: list[float] = []

    async with AsyncExitStack() as stack:

        async def sleep(pause_s: float) -> None:
            if sum(unreached) >= 35:
                answered.append(pause_s)
                return
            unreached.append(pause_s)
            if sum(unreached) >= 35:
                await stack.enter_async_context(enclave_at(tmp_path / "control", script))

        provisioner = await stack.enter_async_context(provisioning(tmp_path, pace=Pace(), sleep=sleep))
        async with beside(provisioner):
            await until_ready(script)
    assert sum(unreached) < 37
    assert answered[:7] == [1, 2, 4, 8, 16, 30, 30]
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    paused = [(line["state"], line["type"]) for line in lines if line["event"] == "provisioning-paused"]
    assert paused == [(None, "EnclaveUnreachable"), ("catalogued", "StepPostponed")]


async def test_a_restarted_enclave_is_provisioned_again(tmp_path: Path) -> None:
    script = Script()
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner, beside(provisioner):
        await until_ready(script)
        script.reboot()
        await until_ready(script)
    assert in_order(script.steps) == ORDER


async def test_a_restart_in_the_middle_starts_over(tmp_path: Path) -> None:
    script = Script()
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner:
        for _ in range(4):
            await provisioner.advance()
        assert "models/beta/head" in script.steps
        script.reboot()
        for _ in range(5):
            await provisioner.advance()
        assert script.state is BootState.READY
    assert in_order(script.steps) == ORDER


async def test_a_refused_step_is_told_without_content(tmp_path: Path) -> None:
    script = Script(refuse="credentials")
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner:
        await provisioner.advance()
        await provisioner.advance()
        with pytest.raises(StepRefused, match=r"^boot step credentials: expected 204, got 400$"):
            await provisioner.advance()
        assert provisioner.starting


async def test_credentials_are_refreshed_when_due_and_not_before(tmp_path: Path) -> None:
    script, clock = Script(), Clock()
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path, clock) as provisioner:
        for _ in range(6):
            await provisioner.advance()
        assert script.state is BootState.READY
        assert not provisioner.starting
        clock.at_ms += 299_000
        await provisioner.advance()
        assert script.steps.count("credentials") == 1
        clock.at_ms += 1_000
        await provisioner.advance()
        assert script.steps.count("credentials") == 2
        assert json.loads(script.bodies["credentials"])["expires_ms"] == clock.at_ms + 3_600_000


async def test_short_lived_credentials_are_refreshed_at_half_their_life(tmp_path: Path) -> None:
    script, clock = Script(), Clock()

    def short(at_ms: int) -> Credentials:
        return Credentials("AKIA", SECRET, "token", at_ms + 120_000)

    async with (
        enclave_at(tmp_path / "control", script),
        provisioning(tmp_path, clock, read_credentials=short) as provisioner,
    ):
        for _ in range(5):
            await provisioner.advance()
        clock.at_ms += 60_000
        await provisioner.advance()
    assert script.steps.count("credentials") == 2


async def test_credentials_are_refreshed_before_a_release(tmp_path: Path) -> None:
    """KMS may have been out of reach for longer than they last."""
    script, clock = Script(), Clock()
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path, clock) as provisioner:
        for _ in range(3):
            await provisioner.advance()
        clock.at_ms += 300_000
        await provisioner.advance()
    assert script.steps[-3:] == ["credentials", "models/alpha/head", "models/beta/head"]


async def test_missing_credentials_are_retried_and_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    answers = [CredentialsUnavailable("expected credentials in the environment"), OSError(5, "Input/output error")]

    def flaky(at_ms: int) -> Credentials:
        if answers:
            raise answers.pop(0)
        return credentials(at_ms)

    script = Script()
    async with (
        enclave_at(tmp_path / "control", script),
        provisioning(tmp_path, read_credentials=flaky) as provisioner,
        beside(provisioner),
    ):
        await until_ready(script)
    log = capfd.readouterr().out
    assert '"type":"CredentialsUnavailable"' in log
    assert '"reason":"Input/output error"' in log
    assert SECRET not in log


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("alpha.sealed", None, "alpha.sealed: expected a readable file"),
        ("alpha.sealed", b"", "alpha.sealed: sealed weights: expected"),
        ("alpha.sealed", head_of("beta").to_bytes(), "expected the sealed model alpha"),
        ("beta.sealed", head_of("beta").to_bytes() + bytes(16), "bytes, got"),
        ("beta.sealed", head_of("beta").to_bytes() + bytes(18), "bytes, got"),
        ("configuration.toml", None, "configuration.toml: expected a readable file"),
        ("configuration.toml", bytes((64 << 10) + 1), "expected at most 65536 bytes"),
        ("catalogue.toml", b"version = 1", "expected TOML with an id"),
        ("catalogue.toml", b"\xff", "expected TOML with an id"),
        ("catalogue.toml", b'[[model]]\nid = "../../etc/passwd"', "expected TOML with an id"),
        ("catalogue.toml", b"[[model]]\nid = 7", "expected TOML with an id"),
        ("catalogue.toml", b"model = 7", "expected TOML with an id"),
    ],
)
async def test_unusable_sources_are_found_before_the_first_step(
    tmp_path: Path, file: str, content: bytes | None, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    script = Script()
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner:
        (tmp_path / file).unlink()
        if content is not None:
            (tmp_path / file).write_bytes(content)
        log = ""
        async with beside(provisioner):
            while "SourceUnusable" not in log:
                log += capfd.readouterr().out
                await asyncio.sleep(0.005)
    assert reason in log
    assert script.steps == []
    assert script.state is BootState.BOOTED


@pytest.mark.parametrize(
    ("change", "reason"), [("shrink", "its whole length, got a file that has shrunk"), ("vanish", "a readable file")]
)
async def test_weights_that_shrink_or_vanish_are_told_at_once(tmp_path: Path, change: str, reason: str) -> None:
    script = Script()
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner:
        for _ in range(4):
            await provisioner.advance()
        sealed = tmp_path / "alpha.sealed"
        if change == "shrink":
            sealed.write_bytes(sealed.read_bytes()[:-100])
        else:
            sealed.unlink()
        async with asyncio.timeout(2):
            with pytest.raises(SourceUnusable, match=rf"^alpha\.sealed: expected {reason}"):
                await provisioner.advance()
    assert not [step for step in script.steps if "alpha/weights/" in step]


async def test_a_refused_segment_is_what_failed_and_ends_the_others(tmp_path: Path) -> None:
    script = Script(refuse="models/alpha/weights/1/2")
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner:
        for _ in range(4):
            await provisioner.advance()
        async with asyncio.timeout(2):
            with pytest.raises(StepRefused, match=r"^boot step models/alpha/weights/1/2: expected 204, got 400$"):
                await provisioner.advance()
        assert script.state is BootState.RELEASED


async def test_a_model_that_was_loaded_is_not_sent_again(tmp_path: Path) -> None:
    script = Script(refuse="models/beta/weights/0/1")
    async with enclave_at(tmp_path / "control", script), provisioning(tmp_path) as provisioner:
        for _ in range(4):
            await provisioner.advance()
        with pytest.raises(StepRefused):
            await provisioner.advance()
        script.refuse = ""
        await provisioner.advance()
        assert script.state is BootState.READY
    assert script.steps.count("models/alpha/weights/0/2") == 1


async def test_the_time_for_a_segment_grows_with_its_model(tmp_path: Path) -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.body()
        await asyncio.sleep(0.3)
        await exchange.answer(204, "", b"")

    enclave = FakeEnclave({"PUT /boot/models/alpha/weights/0/1": slow})
    link = EnclaveLink(UnixAddress(tmp_path / "control"), timeout_s=5, max_exchanges=1)
    async with enclave_at(tmp_path / "control", enclave), link:
        model = SealedModel.open(sources_in(tmp_path).sealed_models, "alpha")
        await Control(link, step_timeout_s=0.1).load(model, model.segments(1)[0])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b'{"state":"\xff"}'),
        (200, b'{"\xff":1}'),
        (200, b"{}"),
        (200, b'{"state":"other"}'),
        (200, b'{"state":"ready","x":1}'),
        (200, b'{"state":"ready","wanted":"alpha"}'),
        (200, b'{"state":"ready","wanted":[1]}'),
        (200, b'{"state":"ready","loaded":[' + b",".join([b'"x"'] * 65) + b"]}"),
        (500, b""),
        (200, b'{"state":"ready"}' + b" " * (16 << 10)),
    ],
)
async def test_an_unknown_state_is_no_state(tmp_path: Path, status: int, body: bytes) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(status, "application/json", body)

    enclave = FakeEnclave({"GET /boot": handler})
    async with enclave_at(tmp_path / "control", enclave), provisioning(tmp_path) as provisioner:
        with pytest.raises(EnclaveBroken):
            await provisioner.advance()
        assert not provisioner.starting


async def test_control_tells_503_from_refusal_and_silence(tmp_path: Path) -> None:
    script = Script(unreachable_kms=["key-check"])
    link = EnclaveLink(UnixAddress(tmp_path / "control"), timeout_s=5, max_exchanges=2)
    async with link:
        control = Control(link, step_timeout_s=5)
        with pytest.raises(EnclaveUnreachable):
            await control.check_key()
        async with enclave_at(tmp_path / "control", script):
            with pytest.raises(StepPostponed):
                await control.check_key()


async def test_the_gateway_sends_over_as_many_connections_as_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    settings = Settings.from_environment(
        {
            "STRONGROOM_ENCLAVE_API": f"unix:{tmp_path / 'api'}",
            "STRONGROOM_ENCLAVE_CONTROL": f"unix:{tmp_path / 'control'}",
            "STRONGROOM_CONFIGURATION": str(sources_in(tmp_path).configuration),
            "STRONGROOM_CATALOGUE": str(tmp_path / "catalogue.toml"),
            "STRONGROOM_SEALED_MODELS": str(tmp_path),
            "STRONGROOM_WEIGHT_STREAMS": "2",
        }
    )
    script = Script()
    async with enclave_at(tmp_path / "control", script), gateway_to(tmp_path, settings):
        await until_ready(script)
    assert in_order(script.steps) == ORDER


async def test_a_gateway_whose_enclave_is_starting_says_not_ready(tmp_path: Path) -> None:
    settings = Settings(
        enclaves=(EnclaveAddresses(UnixAddress(tmp_path / "api"), UnixAddress(tmp_path / "control")),),
        sources=sources_in(tmp_path),
    )
    script = Script(refuse="configuration")
    async with enclave_at(tmp_path / "control", script), gateway_to(tmp_path, settings) as gateway:
        await eventually(lambda: bool(script.steps))
        reply = await gateway.get("/v1/evidence")
        assert reply.problem is Problem.NOT_READY
        assert reply.headers["Retry-After"] == "1"
