"""Enclaves on Nitro hardware, by AWS's own program (aws-nitro-enclaves-cli 1.5.0, src/common/json_output.rs)."""

import shutil
from contextlib import suppress
from typing import TypeVar

import msgspec

from parent.lifecycle.errors import LauncherMissing, LaunchFailed
from parent.lifecycle.launcher import Launched, Order
from parent.lifecycle.nitro_errors import failure
from strongroom.foreign.bounded import Ended, OutOfBounds, run_bounded
from strongroom.transport.addresses import VsockAddress

PROGRAM = "nitro-cli"
API_PORT, CONTROL_PORT, LOG_PORT = 7001, 7002, 7003
"""Of every enclave: docs/operations.md, "Ports of the enclave"."""
_TIMEOUT_S = 600.0
"""nitro-cli itself waits minutes for the heartbeat of a large image."""
_MAX_ANSWER_BYTES = 1 << 20
_UNKNOWN = "nitro-cli describe-enclaves says what runs"


class _Started(msgspec.Struct, rename="pascal"):
    enclave_id: str = msgspec.field(name="EnclaveID")
    process_id: int = msgspec.field(name="ProcessID")
    enclave_cid: int = msgspec.field(name="EnclaveCID")


class _Described(_Started):
    state: str


class _Terminated(msgspec.Struct, rename="pascal"):
    terminated: bool


Parsed = TypeVar("Parsed")


def require_installed() -> None:
    """Raise LauncherMissing unless it is."""
    if shutil.which(PROGRAM) is None:
        raise LauncherMissing(
            "expected nitro-cli, which is not installed: on the parent instance, dnf install aws-nitro-enclaves-cli"
        )


class NitroCLI:
    """A launcher. Starts come one at a time: each binds port 9000 of the parent for its enclave's heartbeat."""

    name = "nitro"

    def start(self, order: Order) -> Launched:
        """`nitro-cli run-enclave`, which returns when the enclave's init has sent its heartbeat.

        One that nitro-cli started without saying so in its way, or in time, is ended.
        """
        if order.image is None:
            raise LaunchFailed("expected an EIF, got none")
        before = self._described()
        _require_free(order.cid, before)
        arguments = ("--eif-path", str(order.image.path), "--cpu-count", str(order.cpus), "--memory")
        named = (str(order.memory_mib), "--enclave-cid", str(order.cid), "--enclave-name", f"strongroom-{order.number}")
        try:
            started = _answer(_Started, "run-enclave", *arguments, *named)
        except LaunchFailed:
            self._end_started(before, order.cid)
            raise
        ports = (VsockAddress(started.enclave_cid, port) for port in (API_PORT, CONTROL_PORT, LOG_PORT))
        return Launched(started.enclave_id, started.process_id, started.enclave_cid, order.image.pcr0, *ports)

    def abandon(self, number: int) -> None:
        """It is waited for: a nitro-cli that is killed half-way may leave an enclave that it had not named."""

    def ending(self, launched: Launched) -> str | None:
        """nitro-cli forgets an enclave that ended, and its exit code with it: the enclave's log has the reason."""
        states = {each.enclave_id: each.state for each in self._described()}
        state = states.get(launched.enclave_id, "ended")
        return None if state == "RUNNING" else state.lower()

    def terminate(self, enclave_id: str) -> None:
        """`nitro-cli terminate-enclave`, unless it is gone."""
        if enclave_id not in {each.enclave_id for each in self._described()}:
            return
        if not _answer(_Terminated, "terminate-enclave", "--enclave-id", enclave_id).terminated:
            raise LaunchFailed(f"nitro-cli: expected {enclave_id} to be terminated, got an answer that it is not")

    def console(self, launched: Launched) -> list[str]:
        """None: only a debug enclave has one."""
        return []

    def _end_started(self, before: list[_Described], cid: int) -> None:
        """End what has come up since under that CID, if nitro-cli says that anything has."""
        known = {each.enclave_id for each in before}
        with suppress(LaunchFailed):  # why it did not start says more
            for each in self._described():
                if each.enclave_cid == cid and each.enclave_id not in known:
                    self.terminate(each.enclave_id)

    def _described(self) -> list[_Described]:
        return _answer(list[_Described], "describe-enclaves")


def _require_free(cid: int, running: list[_Described]) -> None:
    """A supervisor that was killed during a start knew no id yet, so its record has none, and that enclave runs on."""
    for each in running:
        if each.enclave_cid == cid:
            raise LaunchFailed(
                f"CID {cid}: expected no enclave that has it, got {each.enclave_id}: if it is left over, nitro-cli "
                f"terminate-enclave --enclave-id {each.enclave_id} ends it; else choose another CID (--first-cid)"
            )


def _answer(form: type[Parsed], command: str, *arguments: str) -> Parsed:
    ended = _run(command, *arguments)
    if ended.exit_code:
        raise failure(command, ended.exit_code, ended.errors.decode(errors="replace"))
    try:
        return msgspec.json.decode(ended.output, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise LaunchFailed(
            f"nitro-cli {command}: expected the JSON of nitro-cli 1.x, got something else; {_UNKNOWN}"
        ) from None


def _run(command: str, *arguments: str) -> Ended:
    require_installed()
    try:
        return run_bounded((PROGRAM, command, *arguments), timeout_s=_TIMEOUT_S, max_bytes=_MAX_ANSWER_BYTES)
    except OutOfBounds as error:
        raise LaunchFailed(f"nitro-cli {command}: {error}; {_UNKNOWN}") from None
