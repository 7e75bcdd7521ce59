"""`strongroom enclave`: enclaves from their plan to their end, whatever launches them."""

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from strongroom.cli.enclave_plan import plan
from strongroom.cli.enclave_run import run
from strongroom.cli.enclave_run_simulator import qemu, simulator
from strongroom.cli.enclave_state import end_what_is_left, record_of, standing_of, state_option
from strongroom.cli.failures import EXIT_FAILED, CommandFailed
from strongroom.cli.logs import print_log, readable_line
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.readable import escaped
from strongroom.cli.supervising import said_of

if TYPE_CHECKING:
    from parent.lifecycle.folder import StateFolder
    from parent.lifecycle.record import Record

_NUMBER = click.IntRange(min=1)
_LOOK_S = 0.2
_END_S = 120.0


@click.group(epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage.")
def enclave() -> None:
    """Plan, run and watch enclaves on this machine."""


run.add_command(simulator)
run.add_command(qemu)
enclave.add_command(plan)
enclave.add_command(run)


@enclave.command()
@state_option
@json_option
def status(state: Path, as_json: bool) -> int:
    """Show each enclave: its state, since when, how often it was started again, what it measures.

    `ready` means that a document with a fresh nonce verified, not that a port is open; `stale` that the supervisor is
    gone, and with it whoever knew. Exit 1 unless all are ready.

    \b
    Example:  strongroom enclave status --state simulated
    """
    folder = standing_of(state)[0]
    supervised, standing = folder.supervised, folder.read()  # so: one that ends in order in between leaves no record
    records = [each if supervised else each.stale() for each in standing.enclaves] if standing else []
    launcher = standing.launcher if standing else None
    if as_json:
        enclaves = [{**msgspec.to_builtins(record), "up_s": _up_s(record)} for record in records]
        print_json({"supervised": supervised, "launcher": launcher, "enclaves": enclaves})
    else:
        _show(records, launcher, folder)
    return 0 if records and all(each.state == "ready" for each in records) else EXIT_FAILED


@enclave.command()
@click.argument("number", type=_NUMBER, default=1)
@click.option("--follow", "-f", is_flag=True, help="Go on until it ends, or until interrupted.")
@state_option
@json_option
def logs(number: int, follow: bool, state: Path, as_json: bool) -> None:
    """Print the log of enclave NUMBER from its own log port; of one that ended, the last lines that were kept.

    \b
    Example:  strongroom enclave logs 1 --follow --state simulated
    """
    _, standing = standing_of(state)
    record = record_of(standing, number)
    if record.log is not None:
        return print_log(record.log, follow=follow, as_json=as_json)
    for line in record.last_lines:
        click.echo(_as_json(line) if as_json else readable_line(line))
    click.echo(f"it does not run: {escaped(record.ending or record.state)}", err=True)
    return None


@enclave.command()
@click.argument("number", type=_NUMBER, required=False)
@state_option
@json_option
def stop(number: int | None, state: Path, as_json: bool) -> None:
    """End enclave NUMBER, or all of them and their supervisor; done when nothing of it runs, even if nothing did.

    Also ends what a supervisor that was killed has left running.

    \b
    Example:  strongroom enclave stop --state simulated
    """
    from parent.lifecycle.errands import Errand, ask

    folder = standing_of(state)[0]
    if _takes_errands(folder):
        ask(folder.errands, Errand("stop", number))
        if number is None:
            _wait_released(folder)
    elif folder.read() is not None:
        if number is not None:
            raise CommandFailed("nothing-runs", "its supervisor is gone: without a number, stop ends all that it left")
        with folder.held():
            end_what_is_left(folder)
    what = "all enclaves" if number is None else f"enclave {number}"
    if as_json:
        print_json({"stopped": number, "supervised": folder.supervised})
    else:
        print_table([("stopped", what)])


@enclave.command()
@click.argument("number", type=_NUMBER, required=False)
@click.option("--ready-timeout", "patience_s", type=click.IntRange(1, 86_400), default=300, show_default=True)
@state_option
@json_option
def restart(number: int | None, patience_s: int, state: Path, as_json: bool) -> None:
    """End enclave NUMBER, or one after the other, and start it as it was started; done when it has proved itself.

    The image file is read anew: a new one gets its chance here, if the policy lists it.

    \b
    Example:  strongroom enclave restart 2 --state simulated
    """
    from parent.lifecycle.errands import Errand, ask

    folder = standing_of(state)[0]
    taken = _takes_errands(folder)
    standing = folder.read()
    if standing is None or not taken:
        raise CommandFailed("nothing-runs", f"{folder.path}: expected a supervisor, got none: strongroom enclave run")
    ask(folder.errands, Errand("restart", number))
    numbers = [number] if number is not None else [record.number for record in standing.enclaves]
    records = [_wait_ready(state, each, patience_s) for each in numbers]
    if as_json:
        print_json({"restarted": numbers, "enclaves": [msgspec.to_builtins(record) for record in records]})
    else:
        print_table([(f"enclave {record.number}", said_of(record)) for record in records])


def _as_json(line: str) -> str:
    """A line of a log as it is; of a console, which has no form, as the member of an object."""
    try:
        return line if isinstance(json.loads(line), dict) else json.dumps({"line": line})
    except (ValueError, RecursionError):
        return json.dumps({"line": line})


def _takes_errands(folder: "StateFolder") -> bool:
    """Whether a supervisor does; one that is starting, or ending, is waited for. Raises CommandFailed."""
    deadline_s = time.monotonic() + _END_S
    while folder.supervised:
        if folder.errands.path.exists():
            return True
        if time.monotonic() > deadline_s:
            raise CommandFailed(
                "not-started", f"expected the supervisor to start or end within {_END_S:.0f} s; see its output"
            )
        time.sleep(_LOOK_S)
    return False


def _wait_ready(state: Path, number: int, patience_s: float) -> "Record":
    deadline_s = time.monotonic() + patience_s
    while True:
        folder, standing = standing_of(state)
        record = record_of(standing, number)
        if record.state == "ready":
            return record
        if record.state in ("waiting", "given-up") or not folder.supervised or time.monotonic() > deadline_s:
            raise CommandFailed("never-ready", f"enclave {number}: expected it to be ready, got {said_of(record)}")
        time.sleep(_LOOK_S)


def _wait_released(folder: "StateFolder") -> None:
    deadline_s = time.monotonic() + _END_S
    while folder.supervised:
        if time.monotonic() > deadline_s:
            raise CommandFailed("not-stopped", f"expected the supervisor to end within {_END_S:.0f} s; see its output")
        time.sleep(_LOOK_S)


def _show(records: "list[Record]", launcher: str | None, folder: "StateFolder") -> None:
    if not records:
        print_table([("enclaves", "none run")])
        return
    rows = [("launcher", str(launcher)), *(row for record in records for row in _rows(record))]
    if any(record.state == "stale" for record in records):
        stop = f"strongroom enclave stop --state {shlex.quote(str(folder.path))}"
        rows.append(("to end", f"what may still run: {stop}; a new run does so first"))
    print_table(rows)


def _rows(record: "Record") -> list[tuple[str, str]]:
    up_s = _up_s(record)
    lived = "" if up_s is None else f"; up {up_s} s"
    rows = [(f"enclave {record.number}", escaped(f"{said_of(record)}{lived}; restarts {record.restarts}"))]
    if record.enclave_id is not None:
        cid = "" if record.cid is None else f", CID {record.cid}"
        rows += [("", escaped(f"{record.enclave_id}, process {record.pid}{cid}")), ("", f"PCR0 {record.pcr0}")]
    if record.ending is not None:
        rows.append(("", escaped(f"ended last: {record.ending}")))
    return rows


def _up_s(record: "Record") -> int | None:
    return None if record.started_ms is None else max(0, time.time_ns() // 1_000_000 - record.started_ms) // 1000
