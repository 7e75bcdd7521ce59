"""Verdicts on the logs of a folder, one for each boot, and how they are printed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import click

from attestation.errors import Rejected
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.counting import counted, counted_leaves
from attestation.proofs.log import Boot, VerifiedLog, verify_log
from attestation.report import Report
from attestation.verifier import VerifiedDocument
from strongroom.cli.audit_folder import BootClaim, BootFolder
from strongroom.cli.audit_held import HeldFile
from strongroom.cli.judgement import Judge
from strongroom.cli.output import print_table
from strongroom.cli.readable import escaped, instant
from strongroom.cli.verdicts import coloured, print_list

LIMITS = (
    "that a tail was not cut together with its checkpoints: hold a later checkpoint or receipt against it",
    "that no whole boot is missing: which boot came before another is claimed by the parent, and nobody signed it",
    "what was asked or answered: leaves are salted digests",
)
SIMULATED = "anything about hardware: the trust anchor is simulated"
UNSALTED = "which leaf a receipt without its salt is: only a proof bundle tells"


@dataclass(frozen=True)
class BootVerdict:
    """One boot's log, judged. Exactly one of `log` and `rejection` is there."""

    boot_id: bytes
    document: Report | None = None
    claim: BootClaim | None = None
    log: VerifiedLog | None = None
    rejection: Rejected | ProofRejected | None = None
    held: Sequence[HeldFile] = ()

    def to_builtins(self, present: Collection[str]) -> dict[str, object]:
        """As JSON's types; `present` are the boots of the folder."""
        previous = None if self.claim is None else self.claim.previous
        return {
            "boot_id": self.boot_id.hex(),
            "verdict": "accepted" if self.log is not None else "rejected",
            "code": None if self.rejection is None else str(self.rejection.code),
            "expected": None if self.rejection is None else self.rejection.expected,
            "actual": None if self.rejection is None else self.rejection.actual,
            "simulated": None if self.document is None else self.document.anchor.simulated,
            "leaves": None if self.log is None else self.log.last.size,
            "root": None if self.log is None else self.log.last.root.hex(),
            "last_checkpoint_ms": None if self.log is None else self.log.last.time_ms,
            "checkpoints": None if self.log is None else self.log.checkpoints,
            "held": [str(each.file) for each in self.held],
            "previous": None if previous is None else {"boot_id": previous, "claimed_by": "parent"},
            "previous_is_here": None if previous is None else previous in present,
            "document": None if self.document is None else self.document.to_builtins(),
        }


def judge_boot(folder: BootFolder, judge: Judge, held: Sequence[HeldFile]) -> BootVerdict:
    """Judge one boot's document, then its log. Raises CommandFailed and OSError for files that cannot be read."""
    verdict = BootVerdict(folder.boot_id, held=held)
    try:
        evidence = folder.evidence()
        document, claim = judge(evidence.document), folder.claim()
        verdict = replace(verdict, document=document, claim=claim)
        boot = Boot.of(_believed(document), evidence)
        _check_names(folder, claim, boot)
        believed = [piece for each in held for piece in each.believe(boot)]
        with folder.log() as (leaves, checkpoints):
            return replace(verdict, log=verify_log(boot, leaves, checkpoints, believed))
    except (Rejected, ProofRejected) as refusal:
        return replace(verdict, rejection=refusal)


def missing_boots(boots: Sequence[BootFolder], held: Mapping[bytes, Sequence[HeldFile]]) -> Iterator[BootVerdict]:
    """A rejection for each boot that something held names and the folder lacks."""
    for boot_id in sorted(held.keys() - {boot.boot_id for boot in boots}):
        rejection = ProofRejected(ProofCode.LOG_MISSING, "the log of the boot that is held against it", "none")
        yield BootVerdict(boot_id, rejection=rejection, held=held[boot_id])


def print_verdicts(verdicts: Sequence[BootVerdict], present: Collection[str]) -> None:
    """Print them all, and what none of them proves; `present` are the boots of the folder."""
    for verdict in verdicts:
        why = "" if verdict.rejection is None else f"  {escaped(str(verdict.rejection))}"
        click.echo(f"{coloured('rejected' if verdict.log is None else 'accepted')}  boot {verdict.boot_id.hex()}{why}")
        print_table(_rows(verdict, present))
    print_list("it does not prove", limits(verdicts))


def limits(verdicts: Sequence[BootVerdict]) -> list[str]:
    """What a reader of these verdicts must know, the limits of the boots' documents included, each once."""
    believed = [each.document.verified for each in verdicts if each.document is not None and each.document.verified]
    simulated = [SIMULATED for document in believed if document.simulated]
    of_documents = [limit for document in believed for limit in document.does_not_prove]
    unsalted = [UNSALTED for verdict in verdicts for held in verdict.held if held.unsalted]
    return list(dict.fromkeys([*simulated, *LIMITS, *unsalted, *of_documents]))


def _believed(document: Report) -> VerifiedDocument:
    if document.verified is None:
        assert document.rejection is not None  # noqa: S101 - a report has exactly one of the two
        raise document.rejection
    return document.verified


def _check_names(folder: BootFolder, claim: BootClaim, boot: Boot) -> None:
    if not folder.boot_id == bytes.fromhex(claim.boot_id) == boot.boot_id:
        raise ProofRejected(ProofCode.OTHER_BOOT, f"the folder and boot.json of boot {boot.boot_id.hex()}", "another's")


def _rows(verdict: BootVerdict, present: Collection[str]) -> Iterator[tuple[str, str]]:
    if verdict.document is not None and verdict.document.accepted:
        anchor = "SIMULATED, proves nothing about hardware" if verdict.document.anchor.simulated else "AWS Nitro"
        yield "trust anchor", anchor
    if verdict.log is not None:
        last = verdict.log.last
        signed = counted(verdict.log.checkpoints, "checkpoint", "checkpoints")
        yield "log", f"{counted_leaves(last.size)} under {signed}, root {last.root.hex()}"
        yield "last", f"{last.time_ms} ms  {instant(last.time_ms)}"
    for held in verdict.held:
        yield "held", escaped(str(held.file))
    if verdict.claim is not None:
        yield "previous", _previous(verdict.claim, present)


def _previous(claim: BootClaim, present: Collection[str]) -> str:
    if claim.previous is None:
        return "none, claimed by the parent"
    return f"{claim.previous}, claimed by the parent{'' if claim.previous in present else '; not in this folder'}"
