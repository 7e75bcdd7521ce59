"""The benchmark's contract. That the limits are reached is for the benchmark to say, not for a test."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.release.account import WrappedKey
from benchmarks.release.counted_kms import CALLS_PATH, CountedKMS
from benchmarks.release.crowd import Crowd, crowd
from benchmarks.release.envelopes import Envelopes, envelopes
from benchmarks.release.figures import GOOD, STALLED, Figures
from benchmarks.release.latency import Latency, percentile, race
from benchmarks.release.parts import ROOT, Parts, running
from benchmarks.release.releases import WrongKey, by_boto3, by_enclave
from enclave.errors import KMSUnreachable
from enclave.kms.data_keys import DataKeys
from strongroom.protocol.configuration import KeyEntry, Limits, Windows
from strongroom.simulator.kms.app import Receive, Scope, Send
from tests.enclave.deployment import ARN

ENTRY = KeyEntry("requests", "request", "demo", ARN)
KEY = WrappedKey(b"d" * 32, b"wrapped")

REACHED = Figures(
    kms_leg="hybrid",
    latency=Latency(runs=1000, release_p50_ms=15.0, release_p99_ms=30.0, plain_p50_ms=10.0, plain_p99_ms=20.0),
    crowd=Crowd(open_at_once=400, good_served=100, good_p99_ms=999.0),
    envelopes=Envelopes(data_keys=10, first_kms_calls=10, later_requests=1000, later_kms_calls=0),
)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "benchmarks" / "kms.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_a_short_run_is_one_line_and_exit_1_for_it_is_too_short() -> None:
    run = command("--json", "--short")
    assert run.stderr == ""
    [line] = run.stdout.splitlines()
    found = json.loads(line)
    assert list(found) == list(json.loads(REACHED.to_json()))
    assert found["kms_leg"] in {"hybrid", "classical"}
    assert (found["open_at_once"], found["good_served"]) == (10, 4)
    assert (found["data_keys"], found["first_kms_calls"], found["later_kms_calls"]) == (10, 10, 0)
    assert 0 < found["release_p50_ms"] <= found["release_p99_ms"]
    assert 0 < found["plain_p50_ms"] <= found["plain_p99_ms"]
    assert run.returncode == 1


@pytest.mark.parametrize("argument", ["--faster", "100"])
def test_unusable_arguments_are_one_line_and_exit_2(argument: str) -> None:
    run = command(argument)
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith("kms.py: ")


def test_limits_reached() -> None:
    assert REACHED.misses() == []
    assert "<= 5 ms" in REACHED.table()
    assert "MISS" not in REACHED.table()
    assert json.loads(REACHED.to_json())["added_p50_ms"] == 5.0


MISSED = {
    "too much added": replace(REACHED, latency=replace(REACHED.latency, release_p50_ms=15.1)),
    "too few open": replace(REACHED, crowd=replace(REACHED.crowd, open_at_once=STALLED + GOOD - 1)),
    "one not served": replace(REACHED, crowd=replace(REACHED.crowd, good_served=GOOD - 1)),
    "nobody served": replace(REACHED, crowd=replace(REACHED.crowd, good_served=0, good_p99_ms=None)),
    "served late": replace(REACHED, crowd=replace(REACHED.crowd, good_p99_ms=1000.0)),
    "nothing counted": replace(REACHED, envelopes=replace(REACHED.envelopes, first_kms_calls=0)),
    "a call for a kept key": replace(REACHED, envelopes=replace(REACHED.envelopes, later_kms_calls=1)),
}


@pytest.mark.parametrize("figures", MISSED.values(), ids=MISSED)
def test_a_limit_missed(figures: Figures) -> None:
    [miss] = figures.misses()
    assert f"MISS {miss}" in figures.table()


def test_both_take_turns_and_the_other_one_begins_every_other_time() -> None:
    calls: list[str] = []
    latency = race(lambda: calls.append("enclave"), lambda: calls.append("boto3"), 3)
    assert calls[-6:] == ["enclave", "boto3", "boto3", "enclave", "enclave", "boto3"]
    assert calls.count("enclave") == calls.count("boto3") > 3  # they were warmed up
    assert latency.runs == 3


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 50), percentile(values, 99)) == (50.0, 99.0)
    assert percentile([7.0], 99) == 7.0


class Answering:
    """A client of either kind that answers with this."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def unwrap(self, *_: object) -> Any:
        return self._answer

    def decrypt(self, **_: object) -> Any:
        return self._answer


def test_a_release_that_releases_nothing_is_no_release() -> None:
    client: Any = Answering(KEY.data_key)
    by_enclave(client, ENTRY, KEY)()
    client = Answering(b"e" * 32)
    with pytest.raises(WrongKey):
        by_enclave(client, ENTRY, KEY)()
    by_boto3(Answering({"CiphertextForRecipient": b"sealed"}), ENTRY, KEY, b"document")()
    with pytest.raises(WrongKey):
        by_boto3(Answering({"Plaintext": b"p"}), ENTRY, KEY, b"document")()


@pytest.mark.parametrize(("uses", "later_calls"), [(4, 0), (3, 2)])
def test_calls_are_counted_where_kms_is(uses: int, later_calls: int) -> None:
    calls: list[bytes] = []

    def unwrap(entry: KeyEntry, context: dict[str, str], wrapped: bytes) -> bytes:
        calls.append(wrapped)
        return KEY.data_key

    keys = [KEY, replace(KEY, wrapped=b"other")]
    with closing(DataKeys(unwrap, Limits(data_key_uses=uses), Windows())) as cache:
        found = asyncio.run(envelopes(cache, ENTRY, keys, lambda: len(calls), each=3))
    assert found == Envelopes(data_keys=2, first_kms_calls=2, later_requests=6, later_kms_calls=later_calls)


async def test_the_dev_kms_counts_what_is_asked_of_it_and_not_the_count() -> None:
    asked: list[str] = []
    said: list[Any] = []

    async def kms(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        said.append(message)

    counted = CountedKMS(kms)
    for method, path in [("POST", "/"), ("POST", CALLS_PATH), ("GET", CALLS_PATH), ("GET", CALLS_PATH)]:
        await counted({"type": "http", "method": method, "path": path}, receive, send)
    assert asked == ["/", CALLS_PATH]
    assert said[-1]["body"] == b"2"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with running(tmp_path_factory.mktemp("state")) as parts:
        yield parts


def test_who_is_not_served_is_not_counted(parts: Parts) -> None:
    def fail() -> None:
        raise KMSUnreachable("nobody answers")

    def another_key() -> None:
        raise WrongKey

    found = crowd(parts, [fail, lambda: None, another_key], stalled=9)
    assert (found.open_at_once, found.good_served) == (9, 1)
    assert found.good_p99_ms is not None
    assert crowd(parts, [fail], stalled=0).good_p99_ms is None
