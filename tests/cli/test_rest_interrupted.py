"""`strongroom seal` and `submit`, interrupted: what was made is whole, and a second run makes the rest."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiohttp import web

from strongroom.client.resting import sealing, whole_files
from strongroom.protocol.constants import MEDIA_PROBLEM, PATH_SEALED
from strongroom.protocol.problems import Problem
from tests.cli.resting import Rest, names, outcomes
from tests.cli.running import strongroom
from tests.client.fake_gateway import BY_DIGEST, respond


class Killed(BaseException):
    """What no code of ours catches, as good as SIGKILL."""


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("before", [1, 2])
def test_killed_before_the_nth_file_of_two(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, before: int, force: bool
) -> None:
    options = ["--force"] if force else []
    if force:
        rest.seal(files="in/a*")
    written = []

    def write(path: Path, data: bytes, mode: int = 0o644) -> None:
        written.append(path)
        if len(written) == before:
            raise Killed
        whole_files.write_whole(path, data, mode)

    monkeypatch.setattr(sealing, "write_whole", write)
    with pytest.raises(Killed):
        rest.seal(*options, files="in/a*")
    assert outcomes(rest.seal(files="in/a*")) == (0, ["sealed"])
    rest.submit()
    assert outcomes(rest.open()) == (0, ["opened"])


def test_a_full_disk_fails_one_file_and_leaves_nothing_of_it(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def full_at_the_second_file(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 3:  # each has a response, then an answer
            raise OSError(28, "No space left on device")

    rest.seal()
    monkeypatch.setattr(os, "fsync", full_at_the_second_file)
    monkeypatch.setattr(whole_files, "_synchronise", lambda folder: None)
    code, lines = rest.submit("--parallel=1")
    assert (code, [line["outcome"] for line in lines]) == (1, ["answered", "failed", "answered"])
    assert "No space left" in lines[1]["error"]["message"]
    assert names(rest.folder / "answers") == ["a.txt.answer", "c.json.answer"]


def submitting(rest: Rest, *options: str) -> subprocess.Popen[bytes]:
    sealed = map(str, sorted(rest.folder.glob("sealed/*.sealed")))
    where = (f"--url={rest.gateway.url}", f"--out={rest.folder / 'answers'}", "--json")
    command = [sys.executable, "-m", "strongroom", "submit", *sealed, *where, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def slow(rest: Rest) -> Rest:
    """Sealed files, and an enclave that takes a second for each."""

    async def later(request: web.BaseRequest) -> web.StreamResponse:
        answer = rest.gateway.enclave.answer(rest.gateway.messages[-1])
        await asyncio.sleep(1.0)
        return await rest.gateway.send(request, answer)

    rest.seal()
    rest.gateway.faults[PATH_SEALED] = later
    return rest


def wait_for_messages(rest: Rest, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(rest.gateway.messages) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_what_is_under_way_end(slow: Rest, number: int) -> None:
    """The enclave answers a single-use request once: whoever stops waiting for it has lost it."""
    with submitting(slow, "--parallel=2") as process:
        wait_for_messages(slow, 2)
        process.send_signal(number)
        out, error = process.communicate(timeout=20)
    assert (process.returncode, len(out.splitlines())) == (130, 2)
    assert b"waiting for what is under way" in error
    assert names(slow.folder / "answers") == ["a.txt.answer", "b.txt.answer"]
    del slow.gateway.faults[PATH_SEALED]
    assert outcomes(slow.submit("--parallel=1")) == (0, ["kept", "kept", "answered"])
    assert outcomes(slow.open()) == (0, ["opened"] * 3)


def test_a_signal_that_was_ignored_stays_ignored(slow: Rest) -> None:
    """As in the background of a shell without job control."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = submitting(slow, "--parallel=1")
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        wait_for_messages(slow, 1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert (process.returncode, error, len(names(slow.folder / "answers"))) == (0, b"", 3)


def test_an_answer_that_came_outlives_a_kill(slow: Rest) -> None:
    """Only its evidence is missing, which can be asked for again; the answer cannot."""
    slow.gateway.faults[BY_DIGEST] = slow.gateway.stall
    with submitting(slow) as process:
        deadline = time.monotonic() + 20
        while sum(path.startswith(BY_DIGEST) for path in slow.gateway.seen) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    del slow.gateway.faults[BY_DIGEST]
    slow.gateway.faults[PATH_SEALED] = respond(409, Problem.REPLAYED.to_bytes(), MEDIA_PROBLEM)
    assert outcomes(slow.submit()) == (0, ["answered"] * 3)
    assert names(slow.folder / "answers") == ["a.txt.answer", "b.txt.answer", "c.json.answer"]
    assert outcomes(slow.open()) == (0, ["opened"] * 3)


def test_the_second_signal_ends_it(slow: Rest) -> None:
    slow.gateway.faults[PATH_SEALED] = slow.gateway.stall
    with submitting(slow) as process:
        wait_for_messages(slow, 3)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"again to give it up" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    assert (process.returncode, out, b"Traceback" in error) == (130, b"", False)
    assert names(slow.folder / "answers") == []


def test_output_that_nobody_reads_costs_no_answer(rest: Rest) -> None:
    rest.seal()
    reader, writer = os.pipe()
    os.close(reader)
    sealed = sorted(rest.folder.glob("sealed/*.sealed"))
    done = strongroom("submit", *sealed, f"--url={rest.gateway.url}", f"--out={rest.folder / 'answers'}", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
    assert outcomes(rest.submit()) == (0, ["kept"] * 3)
