"""`strongroom demo`: the whole appliance on one machine, and a client that trusts none of it but the enclave."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import CommandFailed
from strongroom.cli.model_build import MODELS_FOLDER

if TYPE_CHECKING:
    from strongroom.simulator.appliance import Endpoint

_STATE_FOLDER = Path(".state")


@click.command()
@click.option("--prompt", envvar="PROMPT", help="Answer this prompt and exit; otherwise ask on the terminal.")
@click.option("--model", "name", default="smollm2-135m", show_default=True, help="Model to serve; built when missing.")
def demo(prompt: str | None, name: str) -> int:
    """Start dev KMS, proxy, enclave and gateway, then chat with the enclave through them.

    \b
    Example:  PROMPT="What is a strongroom?" strongroom demo
    """
    from strongroom.simulator.appliance import Appliance
    from strongroom.simulator.part import PartFailed

    if not prompt and (sys.stdin is None or not sys.stdin.isatty()):
        raise CommandFailed("usage", 'expected a terminal or a prompt: PROMPT="What is a strongroom?" make demo', 2)
    package = _package(name)
    click.secho("Starting the appliance. Simulated hardware: this proves the path, nothing about Nitro.", bold=True)
    with _state_folder() as folder:
        try:
            with Appliance(folder, [package], _say) as appliance:
                click.secho("The client verifies the enclave:", bold=True)
                if code := _client(appliance.endpoint, "status"):
                    return code
                return _converse(appliance.endpoint, prompt)
        except PartFailed as failure:
            raise CommandFailed("part-failed", str(failure)) from None


def _package(name: str) -> Path:
    from strongroom.models.build import build

    package = MODELS_FOLDER / name
    if not package.exists():
        click.secho(f"Building {name}, once:", bold=True)
        build(name, package, cache_dir=MODELS_FOLDER / "wheels", progress=lambda step: _say("model", step))
    return package


@contextmanager
def _state_folder() -> Iterator[Path]:
    """A folder of the checkout that goes with the demo."""
    _STATE_FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=_STATE_FOLDER, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _converse(endpoint: "Endpoint", prompt: str | None) -> int:
    if prompt:
        return _ask(endpoint, prompt)
    while question := click.prompt("prompt (empty to end)", default="", show_default=False):
        _ask(endpoint, question)
    return 0


def _ask(endpoint: "Endpoint", prompt: str) -> int:
    click.secho(f"\n> {prompt}", bold=True)
    return _client(endpoint, "chat", "-", text=prompt)


def _client(endpoint: "Endpoint", command: str, *arguments: str, text: str = "") -> int:
    """Run one command of the client as a process of its own, with what its user would give it.

    A prompt goes in by standard input: every user of the machine can read the arguments of a process.
    """
    options = [
        f"--url={endpoint.url}",
        f"--policy={endpoint.policy}",
        f"--trust-anchor={endpoint.anchor}",
        "--allow-simulated",
    ]
    line = [sys.executable, "-m", "strongroom", command, *options, *arguments]
    return subprocess.run(line, input=text.encode(errors="surrogateescape"), check=False).returncode


def _say(part: str, line: str) -> None:
    click.echo(f"  {click.style(part.ljust(9), bold=True)} {line}")
