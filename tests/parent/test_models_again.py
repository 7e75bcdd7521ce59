"""A ready enclave that wants models again: they are sent, and what fails of one holds up no other."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from parent.errors import SourceUnusable, StepPostponed
from strongroom.protocol.constants import BootState
from tests.parent.support import Exchange, FakeEnclave, enclave_at, eventually
from tests.parent.test_provisioner import beside, chunk_of, head_of, in_order, provisioning


@dataclass
class Serving(FakeEnclave):
    """A ready enclave, as far as its control interface goes; a model is loaded with its last byte."""

    wanted: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    refuse: str = ""
    steps: list[str] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        if scope["method"] == "GET":
            said = {"state": BootState.READY, "loaded": self.loaded, "wanted": self.wanted}
            await exchange.answer(200, "application/json", json.dumps(said).encode())
            return
        step = scope["path"].removeprefix("/boot/")
        self.steps.append(step)
        self.bodies[step] = await exchange.body()
        if self.refuse and self.refuse in step:
            await exchange.answer(503, "application/problem+json", b"")
            return
        self._take(step)
        await exchange.answer(204, "", b"")

    def _take(self, step: str) -> None:
        match step.split("/"):
            case ["models", model, "weights", first, _]:
                last = {"alpha": "1", "beta": "0"}[model]
                if first == last:
                    self.wanted.remove(model)
                    self.loaded.append(model)


async def test_what_is_wanted_is_sent_as_at_boot(tmp_path: Path) -> None:
    enclave = Serving(wanted=["alpha"], loaded=["beta"])
    async with enclave_at(tmp_path / "control", enclave), provisioning(tmp_path) as provisioner, beside(provisioner):
        await eventually(lambda: not enclave.wanted)
        await asyncio.sleep(0.05)
    steps = ["credentials", "models/alpha/head", "models/alpha/weights/0/2", "models/alpha/weights/1/2"]
    assert in_order(enclave.steps) == steps
    assert enclave.bodies["models/alpha/head"] == head_of("alpha").to_bytes()
    assert [enclave.bodies[step] for step in steps[2:]] == [
        chunk_of("alpha", first) + chunk_of("alpha", first + 2) for first in (0, 1)
    ]


async def test_the_report_counts_what_is_loaded_and_what_is_wanted(tmp_path: Path) -> None:
    enclave = Serving(wanted=["alpha"], loaded=["beta"], refuse="head")
    async with enclave_at(tmp_path / "control", enclave), provisioning(tmp_path) as provisioner:
        assert provisioner.report() == {}
        with pytest.raises(StepPostponed):
            await provisioner.advance()
        assert provisioner.report() == {"models": {"loaded": 1, "wanted": 1}}
        assert not provisioner.starting


@pytest.mark.parametrize("refuse", ["alpha/head", "alpha/weights"])
async def test_one_that_is_not_taken_now_holds_up_no_other(tmp_path: Path, refuse: str) -> None:
    enclave = Serving(wanted=["alpha", "beta"], refuse=refuse)
    async with enclave_at(tmp_path / "control", enclave), provisioning(tmp_path) as provisioner:
        with pytest.raises(StepPostponed):
            await provisioner.advance()
        assert enclave.loaded == ["beta"]
        enclave.refuse = ""
        await provisioner.advance()
        assert enclave.loaded == ["beta", "alpha"]


async def test_after_a_model_was_taken_the_enclave_is_asked_anew(tmp_path: Path) -> None:
    """The other may have no room now: it would wait for it, and hold up all the rest."""
    enclave = Serving(wanted=["alpha", "beta"])
    async with enclave_at(tmp_path / "control", enclave), provisioning(tmp_path) as provisioner:
        await provisioner.advance()
        assert enclave.loaded == ["alpha"]
        enclave.wanted.clear()
        await provisioner.advance()
    assert enclave.loaded == ["alpha"]


async def test_a_file_that_is_gone_holds_up_no_other(tmp_path: Path) -> None:
    enclave = Serving(wanted=["alpha", "beta"])
    async with enclave_at(tmp_path / "control", enclave), provisioning(tmp_path) as provisioner:
        await provisioner._delivered()
        (tmp_path / "alpha.sealed").unlink()
        with pytest.raises(SourceUnusable, match=r"^alpha\.sealed"):
            await provisioner.advance()
    assert enclave.loaded == ["beta"]


async def test_what_is_not_of_the_catalogue_is_not_sent(tmp_path: Path) -> None:
    enclave = Serving(wanted=["../alpha", "gamma"])
    async with enclave_at(tmp_path / "control", enclave), provisioning(tmp_path) as provisioner:
        await provisioner.advance()
    assert enclave.steps == ["credentials"]
