"""What the sides of the benchmark are made of: questions, yardsticks, helpers, peers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from benchmarks.peers.encoder import Encoder
from benchmarks.serving.cpu import Meter, cpu_s
from benchmarks.serving.decoder_loop import DecoderLoop
from benchmarks.serving.embeddings import Embeddings
from benchmarks.serving.judging import Tally, VectorJudge
from benchmarks.serving.orders import Report, Unbatched
from benchmarks.serving.packages import package
from benchmarks.serving.plan import FULL, SHORT
from benchmarks.serving.prompts import Prompts
from benchmarks.serving.questions import texts_of
from benchmarks.serving.raw_orders import Answers, Generate, Speed
from benchmarks.serving.servers import EMBEDDING_PEERS, Peer, Peers, Server, plain_fastapi, unbatched
from benchmarks.serving.streams import StreamRace
from benchmarks.serving.targets import Plain, Sealed
from benchmarks.serving.workers import Worker, WorkerLost, process, worker
from tests.models.running import RunningDecoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(tmp_path_factory.mktemp("models"), "tiny-encoder")


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(tmp_path_factory.mktemp("models"), "tiny-decoder")


def test_the_measurement_itself_has_no_onnxruntime() -> None:
    """Only its helpers have: what it opens last, to compare the builds, wants the telemetry off before."""
    code = "import sys, benchmarks.serving.measure; sys.exit('onnxruntime' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_texts_are_all_different_of_one_length_and_the_same_in_every_run(encoder: Path) -> None:
    running = Encoder(encoder, 1)
    texts = texts_of(32, 20, lambda text: len(running.tokens(text)))
    assert {len(running.tokens(text)) for text in texts} == {32}
    assert len(set(texts)) == 20
    assert texts == texts_of(32, 20, lambda text: len(running.tokens(text)))


def test_a_text_that_cannot_be_cut_to_the_length_is_not_taken() -> None:
    def count(text: str) -> int:
        """Of a tokenizer that knows words of three letters and has three tokens for each other one."""
        return sum(1 if len(word) == 3 else 3 for word in text.split())

    assert {count(text) for text in texts_of(10, 30, count)} == {10}


def test_the_vectors_of_the_questions_tell_them_apart(encoder: Path) -> None:
    running = Encoder(encoder, 1)
    texts = [running.tokens(text) for text in texts_of(32, 64, lambda text: len(running.tokens(text)))]
    judge = VectorJudge(np.concatenate([running.vectors([text]) for text in texts]))
    together = running.vectors([*texts, texts[0][:5]])[:-1]
    assert [judge.owners(vector) for vector in together] == [[number] for number in range(64)]


def test_the_slot_loop_gives_each_row_what_it_gets_alone(decoder: Path) -> None:
    running = RunningDecoder(decoder)
    prompts = [running.tokenizer.encode(text).ids for text in ("A prompt.", "Another, longer.", "3", "Four", "Five!")]
    expected = [running.greedy(prompt, 6) for prompt in prompts]
    loop = DecoderLoop(decoder / "model.onnx", threads=1, rows=2, context=64)
    read: list[int] = []
    found = loop.generate(prompts, 6, has_read=lambda: read.append(len(read)))
    assert [tokens[: len(known)] for tokens, known in zip(found, expected, strict=True)] == expected
    assert {len(tokens) for tokens in found} == {6}
    assert read == [0, 1, 2]  # three waves of two rows


def test_prompts_have_one_length_and_are_what_the_enclave_makes_of_them(decoder: Path) -> None:
    asked = Prompts(decoder).equally_long()
    assert len({len(prompt.tokens) for prompt in asked}) == 1
    assert len({prompt.text for prompt in asked}) == len(asked) > 1
    assert Prompts(decoder).decode(asked[0].tokens) == f"user\n{asked[0].text}\nassistant\n"


def test_every_client_of_a_crowd_has_questions_of_its_own() -> None:
    for plan in (FULL, SHORT):
        for crowds in plan.texts.values():
            assert all(max(crowds) % clients == 0 for clients in crowds)


class Order(msgspec.Struct):
    number: int


def test_a_helper_that_ends_is_lost() -> None:
    ended = process([sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with ended as child, pytest.raises(WorkerLost, match="expected a reply, got its end"):
        Worker(child).ask(Order(1), int)


def test_a_helper_ends_with_its_block(encoder: Path) -> None:
    with worker("benchmarks.serving.raw_texts", str(encoder)) as raw:
        os.kill(raw.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(raw.pid, 0)


def test_the_cpu_time_of_children_counts() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\ninput()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    with process([sys.executable, "-c", parent], stdin=subprocess.PIPE) as child:
        deadline_s = time.monotonic() + 20
        while (used_s := cpu_s([child.pid])) < 0.2:  # the kernel counts in ticks
            assert time.monotonic() < deadline_s
        assert used_s < 5
        assert Meter([child.pid]).each_ms(1)["cpu_ms"] < 300
    assert cpu_s([child.pid]) == 0


def test_peers_without_an_environment_are_noted_once(tmp_path: Path) -> None:
    (tmp_path / "mosec" / "bin").mkdir(parents=True)
    (tmp_path / "mosec" / "bin" / "python").touch()
    peers = Peers(tmp_path)
    assert [peer.environment for peer in EMBEDDING_PEERS if peers.has(peer)] == ["mosec"]
    assert not peers.has(unbatched(64))
    assert peers.skipped == ["plain-fastapi", "mlserver"]
    left_out = Peers(None)
    assert Counter(left_out.has(peer) for peer in EMBEDDING_PEERS) == {False: 3}


def test_a_peer_that_does_not_start_is_lost(tmp_path: Path, encoder: Path) -> None:
    python = tmp_path / "plain-fastapi" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    failing = Peers(tmp_path).running(plain_fastapi(1), encoder)
    with pytest.raises(WorkerLost, match="plain_fastapi: expected it to answer"), failing:
        pass


def test_each_peer_has_a_hashed_lock_file() -> None:
    folder = Path(__file__).parents[2] / "benchmarks" / "peers"
    for environment in {peer.environment for peer in EMBEDDING_PEERS}:
        locked = (folder / f"{environment}.txt").read_text()
        assert "onnxruntime==" in locked
        assert locked.count("--hash=sha256:") > locked.count("==")


class Lost:
    """Stands for all helpers and peers: raw onnxruntime has its answers, of the load generator's kinds `kind` none."""

    def __init__(self, kind: type[object] = object) -> None:
        self._kind = kind

    def ask(self, order: object, reply: type[object]) -> object:
        if isinstance(order, Generate):
            return Answers([[9] * order.new for _ in order.prompts], seconds=2.0, cpu_s=1.0, first_s=1.0)
        if reply is Speed:
            return Speed(1.0, 1.0)
        if isinstance(order, self._kind):
            return Report(Tally(lost=1), {"OSError": 1})
        return Report(Tally(1), per_s=1.0, added_p50_ms=0.0, first_ms=0.0, pace_per_s=1.0)

    def has(self, peer: Peer) -> bool:
        return True

    @contextmanager
    def running(self, peer: Peer, package: Path) -> Iterator[Server]:
        yield Server(Plain("http://peer.invalid"), [])


@pytest.mark.parametrize("kind", [object, Unbatched])
def test_a_row_without_answers_is_not_met(decoder: Path, kind: type[object]) -> None:
    lost, sealed = cast("Any", Lost(kind)), Server(Sealed("", "", "", ""), [])
    race = StreamRace(SHORT, sealed, lost, lost, Prompts(decoder))
    rows = {row.name: row for row in race.rows(lost, decoder)}
    assert len(rows) == 4
    assert not rows["5 streams: sealed tokens a second to the unbatched server's"].met
    assert any(row.met for row in rows.values()) is (kind is Unbatched)
    assert race.tally.lost > 0


def test_a_row_without_texts_is_not_met(encoder: Path, tmp_path: Path) -> None:
    lost, sealed = cast("Any", Lost()), Server(Sealed("", "", "", ""), [])
    race = Embeddings(SHORT, sealed, lost, lost, lost, encoder)
    rows = list(race.rows(tmp_path))
    assert len(rows) == 9
    assert not any(row.met for row in rows)
    order = [row.name.rsplit(" ", 1)[1] for row in rows if "to that of" in row.name]
    assert order == 2 * [peer.environment for peer in EMBEDDING_PEERS]
