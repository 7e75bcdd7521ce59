"""`strongroom audit`: verify the logs that a gateway keeps, and prove a receipt's place in one."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import EXIT_FAILED, CommandFailed
from strongroom.cli.files import write_private
from strongroom.cli.output import json_option, print_json
from strongroom.cli.verify_options import VerifyOptions, archived_options

if TYPE_CHECKING:
    from strongroom.cli.audit_held import HeldFile
    from strongroom.cli.audit_verdicts import BootVerdict

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Verify audit logs: one for each boot of an enclave, kept by the gateway, signed by the enclave."""


@audit.command("verify")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option(
    "--checkpoint", "checkpoints", type=_FILE, multiple=True, help="What --out wrote another day; repeatable."
)
@click.option("--receipt", "receipts", type=_FILE, multiple=True, help="A receipt or proof bundle; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep each boot's last checkpoint, if all are accepted.")
@archived_options
@json_option
def verify(
    folder: Path,
    checkpoints: tuple[Path, ...],
    receipts: tuple[Path, ...],
    out: Path | None,
    options: VerifyOptions,
    as_json: bool,
) -> int:
    """Judge every boot's log in DIR: any edit, removal or reordering of leaves shows.

    A tail that was cut, or a boot that was left out, shows against what you hold: later checkpoints, which --out
    keeps in a new file, or a receipt, which is one. Each boot's attestation document is judged as archived, under
    --policy, --pcr, --role or --any-measurement.

    Exit 0 all accepted, 1 one rejected, 2 wrong usage or a file that cannot be read.

    \b
    Examples:
      strongroom audit verify audit-log --policy policy.toml --out today.checkpoints
      strongroom audit verify audit-log --policy policy.toml --checkpoint today.checkpoints
      strongroom audit verify audit-log --policy policy.toml --receipt answer.proof --json
    """
    from strongroom.cli.audit_folder import boots_in
    from strongroom.cli.audit_verdicts import judge_boot, limits, missing_boots, print_verdicts
    from strongroom.cli.judgement import judge_of

    boots, judge, held = boots_in(folder), judge_of(options), _held(checkpoints, receipts)
    verdicts = [judge_boot(boot, judge, held.get(boot.boot_id, ())) for boot in boots]
    verdicts += missing_boots(boots, held)
    accepted = all(verdict.log is not None for verdict in verdicts)
    present = {boot.boot_id.hex() for boot in boots}
    if out is not None and accepted:
        _keep_checkpoints(out, verdicts)
    if as_json:
        said = [verdict.to_builtins(present) for verdict in verdicts]
        head = {"verdict": "accepted" if accepted else "rejected", "code": _first_code(verdicts)}
        print_json({**head, "boots": said, "does_not_prove": limits(verdicts)})
    else:
        print_verdicts(verdicts, present)
    return 0 if accepted else EXIT_FAILED


@audit.command("prove")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--receipt", "file", type=_FILE, required=True, help="A proof bundle that holds its leaf's salt.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The bundle with the proof; a new file.")
@json_option
def prove(folder: Path, file: Path, out: Path, as_json: bool) -> None:
    """Put a receipt's place in the log of DIR into its proof bundle, so that it needs no log later.

    \b
    Example:  strongroom audit prove audit-log --receipt answer.proof --out answer.logged.proof
    """
    from attestation.bundles import Bundle
    from attestation.proofs.counting import counted_leaves
    from strongroom.cli.audit_proof import with_inclusion
    from strongroom.cli.receipt_material import read_receipt

    bundle = read_receipt(file)
    if not isinstance(bundle, Bundle) or bundle.leaf_salt is None:
        raise CommandFailed("usage", f"{file}: expected a proof bundle with the salt of its leaf", 2)
    proved, size = with_inclusion(bundle, bundle.leaf_salt, folder)
    write_private(out, proved.to_bytes(), "xb")
    if as_json:
        print_json({"bundle": str(out), "leaves": size})
    else:
        click.echo(f"{out}: the receipt's place in a log of {counted_leaves(size)}")


def _keep_checkpoints(out: Path, verdicts: list["BootVerdict"]) -> None:
    from attestation.proofs.log import to_records

    write_private(out, to_records(verdict.log.signed_last for verdict in verdicts if verdict.log is not None), "xb")


def _held(checkpoints: tuple[Path, ...], receipts: tuple[Path, ...]) -> dict[bytes, list["HeldFile"]]:
    from strongroom.cli.audit_held import read_held_checkpoints, read_held_receipt

    by_boot: dict[bytes, list[HeldFile]] = defaultdict(list)
    signed = [each for file in checkpoints for each in read_held_checkpoints(file)]
    for held in [*signed, *map(read_held_receipt, receipts)]:
        by_boot[held.boot_id].append(held)
    return by_boot


def _first_code(verdicts: list["BootVerdict"]) -> str | None:
    return next((str(each.rejection.code) for each in verdicts if each.rejection is not None), None)
