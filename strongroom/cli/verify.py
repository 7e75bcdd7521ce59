"""`strongroom verify`: judge an attestation document offline, with nothing but the file and a policy."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.connection import load_anchor, load_policy_option
from strongroom.cli.failures import EXIT_FAILED, CommandFailed
from strongroom.cli.files import read_some
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.status import instant

if TYPE_CHECKING:
    from attestation.verifier import VerifiedDocument

_MAX_BYTES = 32 << 10
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--live", is_flag=True, help="It must answer --nonce, now.")
@click.option("--recent", is_flag=True, help="It must be at most --max-age old; it can be replayed until then.")
@click.option("--archived", is_flag=True, help="It was genuine at its own signed timestamp.")
@click.option("--nonce", help="The nonce asked with, in hex (with --live).")
@click.option("--max-age", "max_age_s", type=click.IntRange(1), default=300, show_default=True, help="Seconds.")
@click.option("--policy", type=_FILE, help="Policy file: the measurements you trust.")
@click.option("--any-measurement", is_flag=True, help="Look at a document without pinning what runs.")
@click.option("--kind", type=click.Choice(["enclave", "nitrotpm"]), default="enclave", show_default=True)
@click.option("--trust-anchor", type=_FILE, help="PEM of another root than AWS's: a simulator's.")
@click.option("--allow-simulated", is_flag=True, help="Accept that root; proves nothing about hardware.")
@click.option("--allow-debug", is_flag=True, help="Accept an enclave in debug mode, whose host reads everything.")
@json_option
def verify(
    file: Path,
    live: bool,
    recent: bool,
    archived: bool,
    nonce: str | None,
    max_age_s: int,
    policy: Path | None,
    any_measurement: bool,
    kind: str,
    trust_anchor: Path | None,
    allow_simulated: bool,
    allow_debug: bool,
    as_json: bool,
) -> int:
    """Judge the attestation document in FILE (- for standard input). Exit 0 accepted, 1 rejected, 2 wrong usage.

    \b
    Example:  strongroom verify document.cbor --archived --policy policy.toml
              curl -s "$URL/v1/attestation?nonce=$NONCE" | strongroom verify - --live --nonce $NONCE --policy p.toml
    """
    from attestation.advice import advice_on
    from attestation.anchors import AWS_NITRO_ROOT_G1
    from attestation.errors import Rejected
    from attestation.verifier import verify as judge

    mode = _mode(live, recent, archived, nonce, max_age_s)
    try:
        verified = judge(
            read_some(file, _MAX_BYTES + 1),  # so that an oversized document is judged as such
            policy=load_policy_option(policy, any_measurement),
            mode=mode,
            anchor=load_anchor(trust_anchor) if trust_anchor else AWS_NITRO_ROOT_G1,
            allow_simulated=allow_simulated,
            allow_debug=allow_debug,
            kind=kind,
        )
    except Rejected as rejected:
        if as_json:
            print_json(
                {"verdict": "rejected", "code": rejected.code, "expected": rejected.expected, "actual": rejected.actual}
            )
        else:
            click.echo(f"rejected: {rejected}; {advice_on(rejected.code)}")
        return EXIT_FAILED
    _print(verified, as_json)
    return 0


def _mode(live: bool, recent: bool, archived: bool, nonce: str | None, max_age_s: int) -> Any:
    from attestation.modes import Archived, Live, Recent

    if live + recent + archived != 1 or live != (nonce is not None):
        raise CommandFailed("usage", "expected exactly one of --live --nonce HEX, --recent, --archived", 2)
    now_ms = time.time_ns() // 1_000_000
    if nonce is not None:
        try:
            return Live(bytes.fromhex(nonce), now_ms, max_age_s)
        except ValueError:
            raise CommandFailed("usage", "--nonce: expected hexadecimal digits", 2) from None
    return Recent(now_ms, max_age_s) if recent else Archived()


def _print(verified: "VerifiedDocument", as_json: bool) -> None:
    document, anchor = verified.document, verified.anchor
    mode = type(verified.mode).__name__.lower()
    pcrs = {str(index): value.hex() for index, value in sorted(document.pcrs.items())}
    if as_json:
        print_json(
            {
                "verdict": "accepted",
                "code": None,
                "mode": mode,
                "kind": document.kind,
                "trust_anchor": {"sha256": anchor.sha256, "simulated": anchor.simulated},
                "document": {"module_id": document.module_id, "timestamp": document.timestamp_ms, "pcrs": pcrs},
                "proves": verified.proves,
                "does_not_prove": verified.does_not_prove,
            }
        )
        return
    rows = [("verdict", f"accepted ({mode})"), ("module", document.module_id)]
    rows.append(("timestamp", instant(document.timestamp_ms)))
    rows.append(("anchor", f"{'SIMULATED' if anchor.simulated else 'AWS Nitro Root-G1'}  {anchor.sha256}"))
    rows += [(f"PCR{index}", value) for index, value in pcrs.items() if int(value, 16)]
    rows += [("proves" if not number else "", text) for number, text in enumerate(verified.proves)]
    rows += [("not proved" if not number else "", text) for number, text in enumerate(verified.does_not_prove)]
    print_table(rows)
