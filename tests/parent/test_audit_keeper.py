"""The keeper of audit logs against an enclave that serves one: pulls, restarts, gaps, forks, a full disk."""

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from parent.audit.keeper import AuditKeeper, KeeperPace
from parent.audit.ledger import AuditLedger
from parent.audit.state import AuditState
from parent.background import background
from parent.link import EnclaveLink
from parent.settings import Settings
from strongroom.cli.audit_folder import BootFolder
from strongroom.protocol.audit import AuditPage
from strongroom.protocol.constants import MEDIA_AUDIT, MEDIA_EVIDENCE
from strongroom.protocol.problems import Problem
from strongroom.transport.addresses import UnixAddress
from tests.attestation.issuing import Enclave
from tests.parent.audited import AuditedEnclave, audited, folder_of, origin_of, stored_leaves
from tests.parent.support import (
    CANARY,
    Handler,
    enclave_at,
    enclaves_in,
    eventually,
    fixed,
    gateway_to,
    holding,
    refusing,
)


@asynccontextmanager
async def keeping(folder: Path) -> AsyncIterator[AuditKeeper]:
    link = EnclaveLink(UnixAddress(folder / "api"), timeout_s=5, max_exchanges=1)
    async with link:
        ledger = AuditLedger.at(folder / "audit")
        keeper = AuditKeeper(link, ledger, "one", 1, KeeperPace(pull_s=0.005, max_retry_s=0.02))
        yield keeper
        keeper._close()


@asynccontextmanager
async def kept(folder: Path, enclave: AuditedEnclave) -> AsyncIterator[AuditKeeper]:
    async with enclave_at(folder / "api", enclave), keeping(folder) as keeper:
        yield keeper


async def test_the_log_is_pulled_as_it_grows(tmp_path: Path) -> None:
    enclave = AuditedEnclave()
    async with kept(tmp_path, enclave) as keeper:
        for grown in (0, 3, 0, 2):
            enclave.boot.fill(grown)
            await keeper.attempt()
            assert keeper.state is AuditState.KEPT
            assert stored_leaves(tmp_path / "audit", enclave.boot) == enclave.boot.leaves
    assert enclave.pulls() == [0, 0, 3, 3]
    assert enclave.requests.count("GET /v1/evidence") == 1
    assert audited(tmp_path / "audit", enclave.boot).last.size == 5
    assert (keeper.leaves, keeper.due) == (5, 0)


async def test_a_long_log_comes_in_pages_each_stored_before_the_next(tmp_path: Path) -> None:
    enclave = AuditedEnclave(page_leaves=4)
    enclave.boot.fill(10)
    async with kept(tmp_path, enclave) as keeper:
        for stored, due in ((4, 6), (8, 2), (10, 0)):
            await keeper.attempt()
            assert len(stored_leaves(tmp_path / "audit", enclave.boot)) == keeper.leaves == stored
            assert keeper.due == due
    assert audited(tmp_path / "audit", enclave.boot).checkpoints == 1


async def test_a_gateway_that_restarts_goes_on(tmp_path: Path) -> None:
    enclave = AuditedEnclave()
    for _ in range(3):
        async with kept(tmp_path, enclave) as keeper:
            enclave.boot.fill(2)
            await keeper.attempt()
    assert enclave.pulls() == [0, 2, 4]
    assert audited(tmp_path / "audit", enclave.boot).last.size == 6


@pytest.mark.parametrize("before", [0, 5])
async def test_another_boot_gets_a_log_of_its_own_at_once(tmp_path: Path, before: int) -> None:
    enclave = AuditedEnclave()
    first, second = enclave.boot, Enclave("B")
    first.fill(before)
    second.fill(3)
    async with kept(tmp_path, enclave) as keeper:
        await keeper.attempt()
        enclave.boot = second
        await keeper.attempt()
        assert (keeper.state, keeper.leaves) == (AuditState.KEPT, 3)
        assert not keeper.failures
    assert audited(tmp_path / "audit", first).last.size == before
    assert audited(tmp_path / "audit", second).last.size == 3
    assert BootFolder(folder_of(tmp_path / "audit", second)).claim().previous == first.boot_id.hex()


async def test_what_the_enclave_forgot_is_a_gap_and_the_log_stays_sound(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    enclave = AuditedEnclave()
    enclave.boot.fill(2)
    async with kept(tmp_path, enclave) as keeper:
        await keeper.attempt()
        enclave.boot.fill(5)
        enclave.kept_from = 4
        for _ in range(2):
            await keeper.attempt()
        assert keeper.state is AuditState.GAP
        assert keeper.failures[AuditState.GAP] == 2
        assert (keeper.leaves, keeper.due) == (2, 5)
    assert audited(tmp_path / "audit", enclave.boot).last.size == 2
    log = capfd.readouterr().out
    assert log.count('"state":"gap","reason":"expected leaves from 2 on, got them from 4 on"') == 1
    assert log.count("audit-log-opened") == 1


@pytest.mark.parametrize("size", [1, 2, 4])
async def test_an_enclave_whose_log_is_another_is_a_fork(tmp_path: Path, size: int) -> None:
    enclave = AuditedEnclave()
    enclave.boot.fill(2)
    async with kept(tmp_path, enclave) as keeper:
        await keeper.attempt()
        enclave.boot = Enclave("A")
        enclave.boot.frontier.append(bytes(32))
        enclave.boot.leaves.append(bytes(32))
        enclave.boot.fill(size - 1)
        await keeper.attempt()
        assert keeper.state is AuditState.FORK
    assert len(stored_leaves(tmp_path / "audit", enclave.boot)) == 2


def page_with(alter: Callable[[AuditPage], AuditPage]) -> Callable[[AuditedEnclave], Handler]:
    def handler_of(enclave: AuditedEnclave) -> Handler:
        return fixed(200, MEDIA_AUDIT, alter(enclave.page(0)).to_bytes())

    return handler_of


@pytest.mark.parametrize(
    "handler_of",
    [
        lambda enclave: fixed(200, MEDIA_AUDIT, CANARY.encode()),
        lambda enclave: fixed(200, "text/plain", enclave.page(0).to_bytes()),
        lambda enclave: refusing(Problem.REJECTED),
        page_with(lambda page: replace(page, checkpoint=Enclave("B").checkpoint())),
        page_with(lambda page: replace(page, checkpoint=page.checkpoint[:-1] + bytes([page.checkpoint[-1] ^ 1]))),
        page_with(lambda page: replace(page, checkpoint=CANARY.encode())),
    ],
)
async def test_an_answer_that_is_no_page_of_this_log_is_broken(
    tmp_path: Path, handler_of: Callable[[AuditedEnclave], Handler], capfd: pytest.CaptureFixture[str]
) -> None:
    enclave = AuditedEnclave()
    enclave.boot.fill(1)
    enclave.handlers["GET /v1/audit"] = handler_of(enclave)
    async with kept(tmp_path, enclave) as keeper:
        await keeper.attempt()
    assert (keeper.state, keeper.leaves) == (AuditState.BROKEN, 0)
    assert (folder_of(tmp_path / "audit", enclave.boot) / "leaves").read_bytes() == b""
    assert CANARY not in "".join(capfd.readouterr()) + str(keeper.report())


async def test_earlier_leaves_than_asked_for_are_broken(tmp_path: Path) -> None:
    enclave = AuditedEnclave()
    enclave.boot.fill(2)
    async with kept(tmp_path, enclave) as keeper:
        await keeper.attempt()
        enclave.handlers["GET /v1/audit"] = fixed(200, MEDIA_AUDIT, enclave.page(1).to_bytes())
        await keeper.attempt()
    assert keeper.state is AuditState.BROKEN


@pytest.mark.parametrize("evidence", [b"", CANARY.encode(), b"SRE\x01" + bytes(100)])
async def test_evidence_that_binds_nothing_begins_no_log(tmp_path: Path, evidence: bytes) -> None:
    enclave = AuditedEnclave()
    enclave.handlers["GET /v1/evidence"] = fixed(200, MEDIA_EVIDENCE, evidence)
    async with kept(tmp_path, enclave) as keeper:
        await keeper.attempt()
    assert keeper.state is AuditState.BROKEN
    assert list((tmp_path / "audit").iterdir()) == []


async def test_evidence_of_another_receipt_key_begins_no_log(tmp_path: Path) -> None:
    enclave = AuditedEnclave()
    swapped = replace(enclave.boot.evidence, receipt_key=Enclave("B").point)
    enclave.handlers["GET /v1/evidence"] = fixed(200, MEDIA_EVIDENCE, swapped.to_bytes())
    async with kept(tmp_path, enclave) as keeper:
        await keeper.attempt()
    assert keeper.state is AuditState.BROKEN
    assert list((tmp_path / "audit").iterdir()) == []


@pytest.mark.parametrize("handlers", [None, {"GET /v1/audit": refusing(Problem.BUSY)}])
async def test_an_enclave_that_does_not_answer_is_no_alarm(tmp_path: Path, handlers: dict[str, Handler] | None) -> None:
    enclave = AuditedEnclave()
    if handlers is None:
        async with keeping(tmp_path) as keeper:
            await keeper.attempt()
    else:
        enclave.handlers |= handlers
        async with kept(tmp_path, enclave) as keeper:
            await keeper.attempt()
    assert keeper.state is AuditState.UNREACHABLE
    assert not keeper.state.alarming


async def test_a_disk_that_fails_is_told_without_its_path_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, room = os.write, [40]

    def full(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))
        return write(descriptor, data[: room.pop()])

    enclave = AuditedEnclave()
    async with kept(tmp_path, enclave) as keeper:
        await keeper.attempt()
        enclave.boot.fill(2)
        with monkeypatch.context() as patched:
            patched.setattr("parent.audit.files.os.write", full)
            await keeper.attempt()
            assert keeper.report() == {
                "state": AuditState.DISK,
                "reason": "No space left on device",
                "leaves": 0,
                "due": 0,
            }
        await keeper.attempt()
        assert (keeper.state, keeper.leaves) == (AuditState.KEPT, 2)
    assert audited(tmp_path / "audit", enclave.boot).last.size == 2


async def test_an_error_that_nobody_foresaw_is_told_and_the_keeper_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enclave = AuditedEnclave()
    enclave.boot.fill(1)

    def unforeseen(data: bytes) -> AuditPage:
        raise KeyError(CANARY)

    async with kept(tmp_path, enclave) as keeper, background("audit-log", keeper.run()):
        await eventually(lambda: keeper.state is AuditState.KEPT)
        with monkeypatch.context() as patched:
            patched.setattr("parent.audit.keeper.AuditPage.from_bytes", unforeseen)
            await eventually(lambda: keeper.state is AuditState.BROKEN)
            assert keeper.report()["reason"] == "KeyError"
        await eventually(lambda: keeper.state is AuditState.KEPT)


async def test_it_pulls_again_and_again_and_lets_go_at_the_end(tmp_path: Path) -> None:
    enclave = AuditedEnclave()
    async with kept(tmp_path, enclave) as keeper:
        async with background("audit-log", keeper.run()):
            for _ in range(5):
                enclave.boot.fill(1)
                size = len(enclave.boot.leaves)
                await eventually(lambda size=size: keeper.leaves == size)  # type: ignore[misc]  # bound now
        AuditLedger.at(tmp_path / "audit").open("one", origin_of(enclave.boot)).close()
    assert audited(tmp_path / "audit", enclave.boot).last.size == 5


async def test_it_pulls_once_more_at_the_end(tmp_path: Path) -> None:
    enclave = AuditedEnclave()
    async with kept(tmp_path, enclave) as keeper:
        keeper._pace = KeeperPace(pull_s=3600)
        async with background("audit-log", keeper.run()):
            await eventually(lambda: keeper.state is AuditState.KEPT)
            enclave.boot.fill(3)
    assert audited(tmp_path / "audit", enclave.boot).last.size == 3


async def test_an_enclave_that_says_nothing_holds_up_no_end(tmp_path: Path) -> None:
    async def say_nothing(*_: object) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    async with keeping(tmp_path) as keeper:
        keeper._pace = KeeperPace(pull_s=3600, last_s=0.01)
        async with asyncio.timeout(5), background("audit-log", keeper.run()):
            await eventually(lambda: bool(keeper.failures))
            keeper._link.fetch = say_nothing  # type: ignore[assignment]  # of this keeper alone


async def test_failures_follow_each_other_at_growing_distances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 8:
            raise asyncio.CancelledError

    enclave = AuditedEnclave()
    enclave.kept_from = 1
    enclave.boot.fill(1)
    async with kept(tmp_path, enclave) as keeper:
        keeper._pace = KeeperPace()
        with monkeypatch.context() as patched:
            patched.setattr("parent.audit.keeper.asyncio.sleep", sleep)
            with pytest.raises(asyncio.CancelledError):
                await keeper.run()
    assert pauses == [2, 4, 8, 16, 30, 30, 30, 30]


async def test_the_gateway_keeps_the_logs_of_its_enclaves_and_reports_them(tmp_path: Path) -> None:
    first, second = AuditedEnclave(), AuditedEnclave(boot=Enclave("B"))
    for enclave in (first, second):
        enclave.handlers["GET /v1/attestation"] = refusing(Problem.BUSY)
        enclave.boot.fill(2)
    second.kept_from = 1
    settings = Settings(enclaves_in(tmp_path, "a", "b"), audit_log=tmp_path / "audit")
    async with (
        enclave_at(tmp_path / "a", first),
        enclave_at(tmp_path / "b", second),
        gateway_to(tmp_path, settings) as gateway,
        asyncio.timeout(10),
    ):
        while True:
            logs = [each["audit_log"] for each in json.loads((await gateway.get("/readyz")).body)["enclaves"]]
            if [log["state"] for log in logs] == ["kept", "gap"]:
                break
            await asyncio.sleep(0.01)
        assert logs[0] == {"state": "kept", "reason": "the enclave's log is stored", "leaves": 2, "due": 0}
        exposition = (await gateway.get("/metrics")).body.decode()
    assert 'strongroom_gateway_audit_leaves{enclave="1"} 2.0' in exposition
    assert 'strongroom_gateway_audit_due_leaves{enclave="1"} 0.0' in exposition
    assert 'strongroom_gateway_audit_failures_total{enclave="2",state="gap"}' in exposition
    assert audited(tmp_path / "audit", first.boot).last.size == 2


async def test_without_a_folder_no_log_is_pulled(tmp_path: Path) -> None:
    enclave = AuditedEnclave()
    enclave.handlers |= holding(b"key")
    async with enclave_at(tmp_path / "api", enclave), gateway_to(tmp_path) as gateway:
        await eventually(lambda: bool(enclave.requests))
        [report] = json.loads((await gateway.get("/readyz")).body)["enclaves"]
    assert "audit_log" not in report
    assert enclave.pulls() == []
