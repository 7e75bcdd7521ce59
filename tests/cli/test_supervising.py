"""A supervisor in the foreground: what it prints, and which signals end it in order."""

import errno
import json
import os
import signal
from pathlib import Path
from unittest.mock import Mock

import pytest

from parent.lifecycle import watch
from parent.lifecycle.folder import StateFolder
from parent.lifecycle.launcher import Order
from parent.lifecycle.record import Record, State
from parent.lifecycle.supervisor import Orders
from strongroom.cli.supervising import said_of, supervise
from strongroom.protocol.constants import BootState
from tests.parent.lifecycle.support import FakeLauncher, fake_observing, trust


def run(folder: Path, number: signal.Signals, *, as_json: bool) -> FakeLauncher:
    """Two enclaves, until they are ready and that signal comes."""
    launcher, state = FakeLauncher(folder), StateFolder(folder / "state")
    orders = Orders((1, 2), lambda each: Order(each, 15 + each, 2, 512, None), launcher, trust())
    with state.held():
        supervise(state, orders, as_json=as_json, ready=lambda: os.kill(os.getpid(), number))
    return launcher


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    monkeypatch.setattr(watch, "observing", fake_observing)
    former = signal.signal(number, handler := lambda *_: None)
    try:
        launcher = run(tmp_path, number, as_json=False)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, former)
    assert len(launcher.started) == 2
    assert launcher.running == set()
    assert "  enclave 2  ready: the enclave answered a fresh nonce" in capsys.readouterr().err.splitlines()


def test_each_change_is_a_line_of_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "observing", fake_observing)
    run(tmp_path, signal.SIGTERM, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in lines} == {"enclave"}
    assert [line["state"] for line in lines if line["number"] == 1] == ["starting", "booting", "ready"]


def test_a_full_disk_is_said_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "observing", fake_observing)
    launcher, state = FakeLauncher(tmp_path), StateFolder(tmp_path / "state")

    def fill() -> None:
        monkeypatch.setattr(state, "write", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
        launcher.endings["1.0"] = "exit code 70"

    def stop_when_said() -> None:
        if launcher.terminated:
            os.kill(os.getpid(), signal.SIGTERM)

    orders = Orders((1, 2), lambda each: Order(each, 15 + each, 2, 512, None), launcher, trust())
    with state.held():
        supervise(state, orders, as_json=False, ready=fill, beside=stop_when_said)
    said = [line for line in capsys.readouterr().err.splitlines() if "status" in line]
    assert said == ["  status     is out of date until its file is written: No space left on device"]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Record(1, State.BOOTING), "booting"),
        (Record(1, State.CONFIGURED, step=BootState.RELEASED), "configured: released"),
        (Record(1, State.CONFIGURED, step=BootState.READY, readiness="pcr"), "configured: ready, pcr"),
        (Record(1, State.WAITING, ending="exit code 70, key-policy"), "waiting: exit code 70, key-policy"),
        (Record(1, State.GIVEN_UP, ending="ended"), "given-up: ended"),
    ],
)
def test_where_an_enclave_is_in_words(record: Record, said: str) -> None:
    assert said_of(record) == said
