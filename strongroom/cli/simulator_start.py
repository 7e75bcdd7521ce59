"""`strongroom simulator start`: the whole appliance on this machine, for whoever tries clients and auditors on it."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.ending import end_in_order
from strongroom.cli.failures import CommandFailed
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.parameters import state_folder

if TYPE_CHECKING:
    from strongroom.simulator.appliance import Appliance

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_LOOK_S = 0.5


@click.command()
@click.argument("packages", metavar="PACKAGE...", nargs=-1, required=True, type=_FOLDER)
@click.option("--state", type=state_folder, metavar="DIR", required=True, help="State folder; made when missing.")
@click.option("--enclaves", type=click.IntRange(1, 16), default=1, show_default=True, help="Behind the one gateway.")
@click.option("--audit-log", type=state_folder, metavar="DIR", help="Where the gateway keeps the audit logs.")
@json_option
def start(packages: tuple[Path, ...], state: Path, enclaves: int, audit_log: Path | None, as_json: bool) -> None:
    """Serve model PACKAGEs with dev KMS, proxy, enclaves and gateway, until interrupted.

    What the client's commands need is left in DIR/environment, to be read by a shell: where the gateway is, policy
    and root, the dev KMS, and an access key that may make data keys and nothing else. Printed once all is ready. Each
    start is a new deployment: another KMS key, so another configuration, which the policy of an earlier one refuses.

    \b
    Examples:
      strongroom simulator start .models/smollm2-135m --state simulated
      strongroom simulator start .models/smollm2-135m --state simulated --enclaves 2 --audit-log simulated/audit

    \b
    Then, in another terminal:
      . simulated/environment
      strongroom chat --allow-simulated "What is a strongroom?"
    """
    from strongroom.simulator.appliance import Appliance
    from strongroom.simulator.part import PartFailed
    from strongroom.simulator.state import held

    end_in_order()
    try:
        with held(state), Appliance(state, packages, _say, enclaves=enclaves, audit_log=audit_log) as appliance:
            _announce(appliance, as_json)
            while True:
                time.sleep(_LOOK_S)
                appliance.check_parts()
    except PartFailed as failure:
        raise CommandFailed("part-failed", str(failure)) from None


def _announce(appliance: "Appliance", as_json: bool) -> None:
    from strongroom.simulator.state import write

    path, variables = appliance.folder / "environment", _environment(appliance)
    write(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()).encode())
    if as_json:
        print_json({"event": "ready", "simulated": True, "environment": variables})
    else:
        print_table([("gateway", appliance.endpoint.url), ("environment", str(path)), ("end", "Ctrl-C")])


def _environment(appliance: "Appliance") -> dict[str, str]:
    """What `chat`, `seal`, `submit` and `open` read."""
    from strongroom.simulator.kms.credentials import issue
    from strongroom.simulator.operator import MODEL_OWNER

    key_id, secret = issue(appliance.folder, MODEL_OWNER)
    return {
        "STRONGROOM_URL": appliance.endpoint.url,
        "STRONGROOM_POLICY": str(appliance.endpoint.policy),
        "STRONGROOM_TRUST_ANCHOR": str(appliance.endpoint.anchor),
        "AWS_ENDPOINT_URL_KMS": appliance.kms_url,
        "AWS_CA_BUNDLE": str(appliance.folder / "tls" / "ca.pem"),
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": "",
    }


def _say(part: str, line: str) -> None:
    click.echo(f"  {click.style(part.ljust(9), bold=True)} {line}", err=True)
