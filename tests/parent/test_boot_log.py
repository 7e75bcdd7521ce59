"""A boot's log on disk: whole after any crash, and never other than what the enclave signed."""

import errno
import os
from pathlib import Path

import pytest

from attestation.proof_errors import ProofRejected
from attestation.receipts import leaf_data
from parent.audit.boot_log import BootLog
from parent.audit.errors import LogForked, LogInUse
from parent.audit.ledger import AuditLedger
from parent.audit.recovery import finish
from parent.errors import SettingsError
from strongroom.cli.audit_folder import BootFolder
from tests.attestation.issuing import Enclave
from tests.parent.audited import audited, folder_of, origin_of, stored_leaves


@pytest.fixture
def boot() -> Enclave:
    return Enclave("A")


def opened(ledger: Path, boot: Enclave, previous: str | None = None) -> BootLog:
    return BootLog.open(folder_of(ledger, boot), origin_of(boot), previous)


def grow(log: BootLog, boot: Enclave, count: int) -> None:
    """`count` leaves more, under a checkpoint."""
    boot.fill(count)
    log.extend(b"".join(boot.leaves[log.size :]), boot.checkpoint())


def filled(ledger: Path, boot: Enclave, *counts: int) -> None:
    """A log under one checkpoint for each of `counts`, closed."""
    log = opened(ledger, boot)
    for count in counts:
        grow(log, boot, count)
    log.close()


def test_what_was_stored_passes_the_audit(tmp_path: Path, boot: Enclave) -> None:
    filled(tmp_path, boot, 0, 3, 1, 4)
    log = audited(tmp_path, boot)
    assert (log.last.size, log.checkpoints) == (8, 4)
    assert stored_leaves(tmp_path, boot) == boot.leaves
    assert sorted(path.name for path in folder_of(tmp_path, boot).iterdir()) == [
        "boot.json",
        "checkpoints",
        "evidence",
        "leaves",
    ]


def test_a_checkpoint_that_says_nothing_new_is_not_stored(tmp_path: Path, boot: Enclave) -> None:
    log = opened(tmp_path, boot)
    for _ in range(3):
        grow(log, boot, 0)
    log.close()
    assert audited(tmp_path, boot).checkpoints == 1


def test_leaves_ahead_of_their_checkpoint_are_stored_and_due_ones_counted(tmp_path: Path, boot: Enclave) -> None:
    log = opened(tmp_path, boot)
    boot.fill(5)
    signed = boot.checkpoint()
    assert log.extend(b"".join(boot.leaves[:2]), signed) == 3
    assert stored_leaves(tmp_path, boot) == boot.leaves[:2]
    assert (folder_of(tmp_path, boot) / "checkpoints").read_bytes() == b""
    assert log.extend(b"".join(boot.leaves[2:]), signed) == 0
    log.close()
    assert audited(tmp_path, boot).last.size == 5


def test_it_goes_on_where_it_was(tmp_path: Path, boot: Enclave) -> None:
    filled(tmp_path, boot, 2)
    log = opened(tmp_path, boot, "ff" * 32)
    assert log.size == 2
    grow(log, boot, 2)
    log.close()
    assert audited(tmp_path, boot).last.size == 4
    assert BootFolder(folder_of(tmp_path, boot)).claim().previous is None


@pytest.mark.parametrize("torn", range(1, 300, 7))
def test_a_crash_at_any_byte_loses_no_more_than_what_was_torn(tmp_path: Path, boot: Enclave, torn: int) -> None:
    filled(tmp_path, boot, 2, 2)
    folder = folder_of(tmp_path, boot)
    leaves, checkpoints = (folder / "leaves").read_bytes(), (folder / "checkpoints").read_bytes()
    written = leaves + checkpoints[len(checkpoints) // 2 :]
    # The second extension, leaves first, until the crash.
    done = written[64 : 64 + torn]
    (folder / "leaves").write_bytes(leaves[:64] + done[:64])
    (folder / "checkpoints").write_bytes(checkpoints[: len(checkpoints) // 2] + done[64:])
    log = opened(tmp_path, boot)
    assert log.size == 2 + min(torn // 32, 2)
    log.extend(b"".join(boot.leaves[log.size :]), boot.checkpoint())
    log.close()
    assert audited(tmp_path, boot).last.size == 4
    assert (folder / "leaves").read_bytes() == leaves


def test_a_crash_before_the_files_were_there_is_made_good(tmp_path: Path, boot: Enclave) -> None:
    folder = folder_of(tmp_path, boot)
    folder.mkdir()
    (folder / "evidence.new").write_bytes(b"half of")
    filled(tmp_path, boot, 1)
    assert audited(tmp_path, boot).last.size == 1
    assert not (folder / "evidence.new").exists()


@pytest.mark.parametrize(
    ("file", "at"), [("leaves", 0), ("leaves", 95), ("checkpoints", 60), ("checkpoints", -1)], ids=str
)
def test_a_stored_log_that_was_edited_is_a_fork(tmp_path: Path, boot: Enclave, file: str, at: int) -> None:
    filled(tmp_path, boot, 3)
    path = folder_of(tmp_path, boot) / file
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(LogForked):
        opened(tmp_path, boot)
    path.write_bytes(b"" if file == "leaves" else data)
    with pytest.raises(LogForked):
        opened(tmp_path, boot)


def test_an_enclave_that_signs_another_log_is_a_fork_and_nothing_is_written(tmp_path: Path, boot: Enclave) -> None:
    log = opened(tmp_path, boot)
    grow(log, boot, 3)
    twin = Enclave("A")
    twin.fill(4)
    twin.leaves[0] = leaf_data(bytes(32), b"another")
    before = {path.name: path.read_bytes() for path in folder_of(tmp_path, boot).iterdir()}
    other = boot.checkpoint(size=4, root=bytes(32))
    for leaves, signed, why in (
        (twin.leaves[3], other, "the signed root of 4 leaves"),
        (b"", boot.checkpoint(root=bytes(32)), "the signed root of 3 leaves"),
        (b"", boot.checkpoint(size=2, root=bytes(32)), "at least 3 leaves, got 2"),
        (b"", boot.checkpoint(time_ms=1), "a checkpoint from"),
    ):
        with pytest.raises(LogForked, match=why):
            log.extend(leaves, signed)
    log.close()
    assert {path.name: path.read_bytes() for path in folder_of(tmp_path, boot).iterdir()} == before


def test_debris_of_a_crash_is_a_fork_once(tmp_path: Path, boot: Enclave) -> None:
    filled(tmp_path, boot, 2)
    with (folder_of(tmp_path, boot) / "leaves").open("ab") as leaves:
        leaves.write(bytes(32))
    log = opened(tmp_path, boot)
    boot.fill(2)
    with pytest.raises(LogForked):
        log.extend(boot.leaves[3], boot.checkpoint())
    log.close()
    log = opened(tmp_path, boot)
    grow(log, boot, 0)
    log.close()
    assert audited(tmp_path, boot).last.size == 4


def test_a_checkpoint_of_another_boot_is_refused(tmp_path: Path, boot: Enclave) -> None:
    log = opened(tmp_path, boot)
    with pytest.raises(ProofRejected):
        log.extend(b"", Enclave("B").checkpoint())
    log.close()


def test_only_one_process_writes(tmp_path: Path, boot: Enclave) -> None:
    log = opened(tmp_path, boot)
    with pytest.raises(LogInUse):
        opened(tmp_path, boot)
    log.close()
    opened(tmp_path, boot).close()


def test_leaves_are_on_disk_before_their_checkpoint(
    tmp_path: Path, boot: Enclave, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path, boot)
    synchronised: list[str] = []

    def fsync(descriptor: int) -> None:
        synchronised.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    monkeypatch.setattr("parent.audit.files.os.fsync", fsync)
    grow(log, boot, 1)
    log.close()
    assert synchronised == ["leaves", "checkpoints"]


def test_the_entries_of_its_files_are_on_disk_before_anything_is_asked_for(
    tmp_path: Path, boot: Enclave, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries: list[set[str]] = []

    def fsync(descriptor: int) -> None:
        synchronised = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if synchronised == folder_of(tmp_path, boot):
            entries.append({path.name for path in synchronised.iterdir()})

    monkeypatch.setattr("parent.audit.files.os.fsync", fsync)
    opened(tmp_path, boot).close()
    assert entries[-1] == {"boot.json", "checkpoints", "evidence", "leaves"}


def test_short_writes_are_continued(tmp_path: Path, boot: Enclave, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("parent.audit.files.os.write", lambda descriptor, data: write(descriptor, data[:7]))
    filled(tmp_path, boot, 3)
    assert audited(tmp_path, boot).last.size == 3


def test_a_full_disk_leaves_a_log_that_goes_on(tmp_path: Path, boot: Enclave, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path, boot)
    grow(log, boot, 1)
    write, room = os.write, [40]

    def full(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: room.pop()])

    with monkeypatch.context() as patched:
        patched.setattr("parent.audit.files.os.write", full)
        with pytest.raises(OSError, match="No space"):
            grow(log, boot, 3)
    log.close()
    log = opened(tmp_path, boot)
    assert log.size == 2
    grow(log, boot, 0)
    log.close()
    assert audited(tmp_path, boot).last.size == 4


def test_a_boot_that_is_gone_keeps_what_is_covered(tmp_path: Path, boot: Enclave) -> None:
    filled(tmp_path, boot, 2)
    with (folder_of(tmp_path, boot) / "leaves").open("ab") as leaves:
        leaves.write(bytes(70))
    finish(folder_of(tmp_path, boot))
    assert audited(tmp_path, boot).last.size == 2
    finish(tmp_path / "moved away")


def test_the_ledger_claims_the_boot_before_for_each_enclave(tmp_path: Path) -> None:
    ledger = AuditLedger.at(tmp_path / "audit")
    boots = [Enclave(label) for label in "ABCD"]
    for enclave, boot in (("one", boots[0]), ("two", boots[1]), ("one", boots[2]), ("one", boots[2])):
        log = ledger.open(enclave, origin_of(boot))
        grow(log, boot, 0)
        log.close()
    log = AuditLedger.at(tmp_path / "audit").open("two", origin_of(boots[3]))
    grow(log, boots[3], 1)
    log.close()
    claims = [BootFolder(folder_of(ledger.folder, boot)).claim().previous for boot in boots]
    assert claims == [None, None, boots[0].boot_id.hex(), boots[1].boot_id.hex()]
    for boot in boots:
        audited(ledger.folder, boot)


def test_the_ledger_finishes_the_boot_before(tmp_path: Path) -> None:
    ledger, boot = AuditLedger.at(tmp_path), Enclave("A")
    log = ledger.open("one", origin_of(boot))
    grow(log, boot, 1)
    boot.fill(3)
    log.extend(boot.leaves[1], boot.checkpoint())
    log.close()
    ledger.open("one", origin_of(Enclave("B"))).close()
    assert audited(tmp_path, boot).last.size == 1


def test_a_note_that_cannot_be_written_leaves_nothing_locked(
    tmp_path: Path, boot: Enclave, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = AuditLedger.at(tmp_path)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("parent.audit.ledger.put", full)
        with pytest.raises(OSError, match="No space"):
            ledger.open("one", origin_of(boot))
    ledger.open("one", origin_of(boot)).close()


@pytest.mark.parametrize(
    "noted", [b"", b"[]", b"{", b"[" * 100_000, b'{"one": "../../etc"}', b'{"one": 7}'], ids=range(6)
)
def test_a_note_that_cannot_be_ours_claims_nothing(tmp_path: Path, noted: bytes) -> None:
    (tmp_path / "last.json").write_bytes(noted)
    boot = Enclave("A")
    AuditLedger.at(tmp_path).open("one", origin_of(boot)).close()
    assert BootFolder(folder_of(tmp_path, boot)).claim().previous is None


@pytest.mark.parametrize("place", ["file", "file/below", "no/such"])
def test_a_folder_that_cannot_be_made_stops_the_gateway(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="STRONGROOM_AUDIT_LOG: expected a folder to write to"):
        AuditLedger.at(tmp_path / place)
