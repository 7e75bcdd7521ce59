"""`strongroom policy lint`: what is wrong with a KMS key, as far as its policy and KMS's other answers show it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from attestation.admission import Comparison
    from attestation.key_policy.findings import Finding

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_ANSWER_BYTES = 4 << 20


@click.command("lint")
@click.argument("file", metavar="KEYPOLICY.json", type=_FILE)
@click.option("--describe", type=_FILE, help="What `aws kms describe-key` printed.")
@click.option("--grants", type=_FILE, help="What `aws kms list-grants` printed.")
@click.option("--policy", "policy_file", type=_FILE, help="Policy file to hold the admitted measurements against.")
@click.option("--role", help="ARN of the parent instance's role, which must not change the policy.")
@json_option
def lint(
    file: Path, describe: Path | None, grants: Path | None, policy_file: Path | None, role: str | None, as_json: bool
) -> int:
    """Say what is wrong with a key policy: the policy itself, or what `aws kms get-key-policy` printed.

    Errors defeat attestation, or hide whether it is defeated; an enclave refuses such a key. Warnings are a defence
    that is missing, or a thing that cannot be seen from here, as IAM always is. Exit 0: no error found, which is no
    proof that there is none; 1: errors; 2: a file that cannot be used.

    \b
    Example:  aws kms get-key-policy --key-id $KEY --output json > key-policy.json
              aws kms describe-key --key-id $KEY --output json > key.json
              aws kms list-grants --key-id $KEY --output json > grants.json
              strongroom policy lint key-policy.json --describe key.json --grants grants.json \\
                --policy policy.toml --role arn:aws:iam::111122223333:role/strongroom-parent
    """
    from attestation.admission import compare
    from attestation.key_policy.linter import IAM_UNSEEN, account_in, lint_policy
    from attestation.policy_file import MAX_POLICY_FILE_BYTES, load_measurements

    _check_role(role)
    policy, sha384 = _key_policy(file)
    metadata = _metadata(describe)
    findings = [
        *lint_policy(policy, role, account_in(metadata or {})),
        *_lint_metadata(metadata),
        *_lint_grants(grants),
    ]
    comparison = None
    if policy_file is not None:
        comparison = compare(policy, load_measurements(read_bounded(policy_file, MAX_POLICY_FILE_BYTES)))
        findings += comparison.findings()
    findings.append(IAM_UNSEEN)
    (_print_json if as_json else _print_text)(findings, comparison, sha384)
    return EXIT_FAILED if any(each.severity == "error" for each in findings) else 0


def _check_role(role: str | None) -> None:
    from attestation.measurements import ROLE_ARN

    if role is not None and not ROLE_ARN.fullmatch(role):
        raise CommandFailed("usage", "--role: expected arn:aws:iam::<account>:role/<name>", EXIT_USAGE)


def _key_policy(file: Path) -> tuple[dict[str, object], str | None]:
    """GetKeyPolicy's answer holds the policy as text within text; its digest is what an enclave binds.

    A bare policy has none: what KMS holds may differ from it in white space.
    """
    from attestation.bindings import key_policy_sha384
    from attestation.key_policy.text import parse_key_policy, parse_object

    text = _text(file)
    parsed = parse_object(text, str(file), _MAX_ANSWER_BYTES)
    inner = parsed.get("Policy")
    if "Statement" not in parsed and isinstance(inner, str):
        return parse_key_policy(inner), key_policy_sha384(inner).hex()
    return parse_key_policy(text), None


def _metadata(file: Path | None) -> dict[str, object] | None:
    from attestation.key_policy.text import parse_object

    if file is None:
        return None
    metadata = parse_object(_text(file), str(file), _MAX_ANSWER_BYTES).get("KeyMetadata")
    if not isinstance(metadata, dict):
        raise CommandFailed("file", f"{file}: expected what DescribeKey answers, with KeyMetadata", EXIT_USAGE)
    return metadata


def _lint_metadata(metadata: dict[str, object] | None) -> "Iterator[Finding]":
    from attestation.key_policy.findings import warning
    from attestation.key_policy.linter import lint_metadata

    if metadata is not None:
        return lint_metadata(metadata)
    return iter(
        [warning("metadata-unseen", "replicas, key material, state and account were not looked at", "give --describe")]
    )


def _lint_grants(file: Path | None) -> "Iterator[Finding]":
    from attestation.key_policy.findings import warning
    from attestation.key_policy.linter import lint_grants
    from attestation.key_policy.text import parse_object

    if file is None:
        return iter([warning("grants-unseen", "grants ignore the policy and were not looked at", "give --grants")])
    answer = parse_object(_text(file), str(file), _MAX_ANSWER_BYTES)
    grants = answer.get("Grants")
    if not isinstance(grants, list) or (answer.get("Truncated") and not grants):
        raise CommandFailed("file", f"{file}: expected what ListGrants answers, with all Grants", EXIT_USAGE)
    return lint_grants(grants)


def _text(file: Path) -> str:
    try:
        return read_bounded(file, _MAX_ANSWER_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandFailed("text", f"{file}: expected text in UTF-8, got other bytes", EXIT_USAGE) from None


def _print_json(findings: "Sequence[Finding]", comparison: "Comparison | None", sha384: str | None) -> None:
    print_json(
        {
            "errors": _count(findings, "error"),
            "warnings": _count(findings, "warning"),
            "key_policy_sha384": sha384,
            "findings": [asdict(each) for each in findings],
            "tuples": None if comparison is None else _tuples(comparison),
        }
    )


def _print_text(findings: "Sequence[Finding]", comparison: "Comparison | None", sha384: str | None) -> None:
    for each in sorted(findings, key=lambda finding: finding.severity):
        click.secho(f"{each.severity}  {each.code}", bold=True, fg="red" if each.severity == "error" else None)
        print_table([("", escaped(each.explanation)), ("mend", each.mend)])
    if comparison is not None:
        rows = ((word, escaped(", ".join(names)) or "none") for word, names in _tuples(comparison).items())
        print_table((f"tuples {word}", names) for word, names in rows)
    print_table([("SHA-384", sha384 or "not known from a bare policy: give what get-key-policy --output json printed")])
    errors, warnings = _count(findings, "error"), _count(findings, "warning")
    click.echo(f"errors: {errors}, warnings: {warnings}; IAM was not looked at")


def _tuples(comparison: "Comparison") -> dict[str, list[str]]:
    from attestation.admission import label

    return {
        "admitted": [label(each) for each in comparison.admitted],
        "missed": [label(each) for each in comparison.missed],
        "beyond": [each.statement for each in comparison.beyond],
    }


def _count(findings: "Sequence[Finding]", severity: str) -> int:
    return sum(each.severity == severity for each in findings)
