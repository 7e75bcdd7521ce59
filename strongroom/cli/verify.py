"""`strongroom verify`: judge attestation documents offline, with nothing but files and a policy."""

from pathlib import Path

import click

from strongroom.cli.batch import judge_many
from strongroom.cli.evidence import read_evidence
from strongroom.cli.failures import EXIT_FAILED
from strongroom.cli.files import STANDARD_INPUT
from strongroom.cli.judgement import judge_of
from strongroom.cli.output import json_option, print_json
from strongroom.cli.parameters import file_name
from strongroom.cli.verdicts import print_report
from strongroom.cli.verify_options import VerifyOptions, verify_options


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="FILE…", type=file_name)
@verify_options
@json_option
def verify(names: tuple[Path, ...], options: VerifyOptions, as_json: bool) -> int:
    """Judge the attestation document in FILE: binary, hex or base64; - is standard input.

    Say how fresh it must be (--live --nonce HEX, --recent, --archived or --at TIME) and what may run in it (--policy,
    --pcr, --role, or --any-measurement). Of a folder, every file directly in it is judged, a line each.

    Exit 0 accepted, 1 rejected, 2 wrong usage or a file that cannot be read.

    \b
    Examples:
      strongroom verify document.cbor --archived --policy policy.toml
      strongroom verify document.cbor --at 2026-01-31T12:00:00Z --pcr 0=5e02… --json
      strongroom verify evidence/ --archived --policy policy.toml --second-opinion
      curl -s "$URL/v1/attestation?nonce=$NONCE" | strongroom verify - --live --nonce $NONCE --policy policy.toml
    """
    judge = judge_of(options)
    if len(names) > 1 or (names[0] is not STANDARD_INPUT and names[0].is_dir()):
        return judge_many(names, judge, as_json)
    report = judge(read_evidence(names[0]))
    if as_json:
        print_json(report.to_builtins())
    else:
        print_report(report)
    return 0 if report.accepted else EXIT_FAILED
