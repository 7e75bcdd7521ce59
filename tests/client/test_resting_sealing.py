"""Sealing many files from Python: each is told once, its failure its own, and a second run makes the rest."""

import stat
import time
from pathlib import Path
from traceback import walk_tb
from typing import Any

import pytest

from strongroom.client import errors as client_errors
from strongroom.client.errors import InvalidArgument, StrongroomError
from strongroom.client.resting import errors, sealing, task_files, whole_files
from strongroom.client.resting.errors import DataKeyRefused, FolderInUse
from strongroom.client.resting.outcomes import FileOutcome
from strongroom.client.resting.places import alone_in
from strongroom.client.tickets import Ticket
from strongroom.protocol.payloads import ChatTask, EmbedTask, Message
from tests.client.fake_enclave import FakeKMS
from tests.client.resting import HOUR_MS, Desk, Interrupted, interrupting_at


class RefusingKMS:
    """A client of KMS that raises what boto3's would: no error of ours."""

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0

    def generate_data_key(self, **_: Any) -> object:
        self.calls += 1
        raise self.error


def test_each_file_is_sealed_and_told_once(desk: Desk) -> None:
    told: list[FileOutcome] = []
    assert desk.seal(told.append, files=[*desk.files, *desk.files], max_tokens=7) == ["sealed"] * 3
    assert [outcome.file for outcome in told] == desk.files
    tasks = [Ticket.from_bytes(ticket).task for ticket in desk.contents("sealed/*.ticket").values()]
    first, second = (ChatTask([Message("user", text)], max_tokens=7) for text in ("first", "second"))
    assert tasks == [first, second, EmbedTask(["x"])]
    assert {stat.S_IMODE(path.stat().st_mode) for path in desk.folder.glob("sealed/*.ticket")} == {0o600}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_run_that_was_interrupted_goes_on(desk: Desk, count: int) -> None:
    with pytest.raises(Interrupted):
        desk.seal(interrupting_at(count))
    made = desk.contents("sealed/*")
    assert len(made) == 2 * count
    assert desk.seal() == ["kept"] * count + ["sealed"] * (3 - count)
    whole = desk.contents("sealed/*")
    assert {name: whole[name] for name in made} == made
    assert desk.seal() == ["kept"] * 3
    assert len(desk.gateway.enclave.kms.calls) == (1 if count == 3 else 2)


def test_interrupted_between_a_ticket_and_its_request(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, data: bytes, mode: int = 0o644) -> None:
        if path.name == "b.txt.sealed":
            raise Interrupted
        whole_files.write_whole(path, data, mode)

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "write_whole", write)
        with pytest.raises(Interrupted):
            desk.seal()
    ticket = desk.contents("sealed/b.txt.ticket")["b.txt.ticket"]
    assert desk.seal() == ["kept", "sealed", "sealed"]
    made = desk.contents("sealed/b.txt.*")
    assert made == {"b.txt.sealed": Ticket.from_bytes(ticket).sealed, "b.txt.ticket": ticket}


def test_a_kms_that_refuses_is_asked_once_in_a_run(desk: Desk) -> None:
    desk.seal(files=desk.files[:1])
    told: list[FileOutcome] = []
    kms = RefusingKMS(RuntimeError("AccessDenied"))
    assert desk.seal(told.append, kms=kms) == ["kept", "kms", "kms"]
    assert kms.calls == 1
    for outcome in told[1:]:
        assert isinstance(outcome.error, DataKeyRefused)
        assert outcome.error.__cause__ is kms.error
        assert "AccessDenied" in str(outcome.error)
    assert desk.seal() == ["kept", "sealed", "sealed"]


def test_an_error_that_many_files_share_does_not_grow(desk: Desk) -> None:
    depths: list[int] = []

    def measure(outcome: FileOutcome) -> None:
        assert outcome.error is not None
        depths.append(len(list(walk_tb(outcome.error.__traceback__))))

    desk.seal(measure, kms=RefusingKMS(RuntimeError("no")))
    assert len(set(depths)) == 1


def test_a_package_that_is_missing_is_no_files_failure(desk: Desk) -> None:
    with pytest.raises(ImportError):
        desk.seal(kms=RefusingKMS(ImportError("boto3")))
    assert desk.seal() == ["sealed"] * 3


def test_a_kms_that_answers_with_another_key(desk: Desk) -> None:
    class Other(FakeKMS):
        def generate_data_key(self, **arguments: Any) -> dict[str, Any]:
            return {**super().generate_data_key(**arguments), "KeyId": "another"}

    assert desk.seal(kms=Other()) == ["invalid-argument"] * 3


def test_each_failure_is_its_files_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_files, "_MAX_FILE_BYTES", 100)
    inbox = desk.folder / "in"
    (inbox / "a.txt").write_bytes(b"\xff")
    (inbox / "c.json").write_text('{"task": "embed", "task": "embed", "texts": ["x"]}')
    (inbox / "d.txt").write_bytes(bytes(101))
    files = [*desk.files, inbox / "none.txt"]
    assert desk.seal(files=files) == ["text", "sealed", "content", "too-large", "failed"]


def test_what_another_run_left_is_replaced_by_force_only(desk: Desk) -> None:
    desk.seal()
    before = desk.contents("sealed/*")
    assert desk.seal(max_tokens=9) == ["exists", "exists", "kept"]
    assert desk.seal(model="other") == ["exists"] * 3
    assert desk.contents("sealed/*") == before
    assert desk.seal(force=True) == ["sealed"] * 3
    assert not set(desk.contents("sealed/*").values()) & set(before.values())


def test_what_has_expired_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.seal()
    later_ns = time.time_ns() + HOUR_MS * 1_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later_ns)
    assert desk.seal() == ["expired"] * 3


def test_one_run_at_a_time_seals_into_a_folder(desk: Desk) -> None:
    def again(outcome: FileOutcome) -> None:
        with pytest.raises(FolderInUse):
            desk.seal()

    assert desk.seal(again) == ["sealed"] * 3
    with alone_in(desk.folder / "sealed"):
        pass


def test_a_run_that_cannot_begin(desk: Desk) -> None:
    (desk.folder / "more").mkdir()
    (desk.folder / "more" / "a.txt").write_text("another")
    with pytest.raises(InvalidArgument, match="each name once"):
        desk.seal(files=[*desk.files, desk.folder / "more" / "a.txt"])
    with pytest.raises(InvalidArgument, match="purpose 'request'"):
        desk.seal(key_entry="models")
    assert not (desk.folder / "sealed").exists()


def kinds(module: object) -> list[type[StrongroomError]]:
    found = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, StrongroomError)]
    return [kind for kind in found if kind.__module__ == getattr(module, "__name__", "")]


def test_every_error_has_its_own_code_and_a_place_in_the_tree() -> None:
    both = [*kinds(errors), *kinds(client_errors)]
    assert len({kind.code for kind in both}) == len(both) > len(kinds(errors)) > 0
    assert all(f"── {kind.__name__} " in (errors.__doc__ or "") for kind in kinds(errors))
