"""The benchmark's contract. That the limits are reached is for the benchmark to say, not for a test."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.exchange import paths, stream
from benchmarks.exchange.by_hand import AT_MS, DIGEST, MEDIA, MODEL, ByHand
from benchmarks.exchange.figures import Exchange, Figures, Receipt, Stream
from benchmarks.exchange.receipts import issuing
from benchmarks.exchange.samples import sample
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE
from strongroom.protocol.payloads import Outputs
from strongroom.protocol.responses import ResponseOpener

KIB, MIB = 1 << 10, 1 << 20
REACHED = Figures(
    exchanges={
        KIB: Exchange(bare_us=90.0, by_hand_us=100.0, sealing_us=130.0, whole_us=200.0),
        64 * KIB: Exchange(bare_us=90.0, by_hand_us=100.0, sealing_us=500.0, whole_us=600.0),
        MIB: Exchange(bare_us=800.0, by_hand_us=1000.0, sealing_us=1100.0, whole_us=1400.0),
    },
    stream=Stream(bare_us=7.0, by_hand_us=8.0, sealing_us=10.0),
    receipt=Receipt(p50_us=60.0, p99_us=90.0),
)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).parents[2] / "benchmarks" / "sealing.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_a_short_run_is_one_line() -> None:
    run = command("--json", "--short")
    assert run.stderr == ""
    [line] = run.stdout.splitlines()
    found, expected = json.loads(line), json.loads(REACHED.to_json())
    assert list(found) == list(expected)
    assert {size: list(each) for size, each in found["exchange"].items()} == {
        size: list(each) for size, each in expected["exchange"].items()
    }
    assert all(figure > 0 for size in found["exchange"].values() for figure in size.values())
    assert 0 < found["receipt"]["p50_us"] <= found["receipt"]["p99_us"]
    assert run.returncode in {0, 1}


@pytest.mark.parametrize("argument", ["--faster", "100"])
def test_unusable_arguments_are_one_line_and_exit_2(argument: str) -> None:
    run = command(argument)
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith("sealing.py: ")


def test_limits_reached() -> None:
    assert REACHED.misses() == []
    assert "MISS" not in REACHED.table()
    assert json.loads(REACHED.to_json())["exchange"]["1024"]["ratio"] == 1.3
    assert json.loads(REACHED.to_json())["stream"]["bare_speed"] == 0.7


def slower(size: int) -> Figures:
    exchange = REACHED.exchanges[size]
    return replace(
        REACHED, exchanges={**REACHED.exchanges, size: replace(exchange, sealing_us=exchange.sealing_us * 1.01)}
    )


MISSED = {
    "a short exchange": slower(KIB),
    "a long exchange": slower(MIB),
    "a stream": replace(REACHED, stream=replace(REACHED.stream, sealing_us=10.1)),
    "a receipt": replace(REACHED, receipt=replace(REACHED.receipt, p50_us=60.1)),
}


@pytest.mark.parametrize("figures", MISSED.values(), ids=MISSED)
def test_a_limit_missed(figures: Figures) -> None:
    [miss] = figures.misses()
    assert f"MISS {miss}" in figures.table()


@pytest.mark.parametrize("size", [KIB, 64 * KIB, MIB])
def test_what_is_sealed_by_hand_opens_and_has_the_length_of_what_the_protocol_seals(size: int) -> None:
    opener, content = paths.fresh_opener(), sample(size)
    hand, request_id, secret = ByHand(opener), secrets.token_bytes(16), secrets.token_bytes(32)
    asked = hand.request(content.body, request_id)
    head, body = opener.open_body(asked.message)
    assert (head.request_id, head.timestamp_ms, head.model) == (request_id, AT_MS, MODEL.decode())
    assert body == asked.plaintext[4:] == content.body
    answered = hand.response(content.body, asked.message, request_id, secret)
    reader = ResponseOpener(secret, asked.message, MEDIA_SEALED_RESPONSE)
    assert reader.feed(answered.message) == [content.body]
    reader.finish()
    assert reader.head
    assert (reader.head.document_digest, MEDIA_SEALED_RESPONSE.encode()) == (DIGEST, MEDIA)


@pytest.mark.parametrize("size", [KIB, 64 * KIB, MIB])
def test_every_path_brings_the_content_there_and_back(size: int) -> None:
    opener, content = paths.fresh_opener(), sample(size)
    assert paths.bare(opener)(content) == (content.plaintext, content.plaintext)
    asked, answered = paths.by_hand(opener)(content)
    assert asked[4:] == answered.plaintext[4 : len(content.body) + 4] == content.body
    received, [body] = paths.sealing(opener)(content)
    assert received == body == content.body
    assert paths.whole(opener)(content) == [Outputs(content.task.tensors)]


def test_streams_go_there_and_back() -> None:
    bodies = [secrets.token_bytes(stream.BODY_BYTES) for _ in range(3)]
    for path in (stream.bare, stream.by_hand, stream.sealing):
        assert list(path(bodies)) == bodies


def test_each_receipt_has_its_own_place() -> None:
    issue = issuing()
    assert len({issue().leaf for _ in range(3)}) == 3
