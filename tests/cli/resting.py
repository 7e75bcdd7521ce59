"""Files at rest between a folder and an enclave behind a gateway: the commands, and what became of each file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from strongroom.cli.commands import cli
from tests.client.fake_gateway import FakeGateway


@dataclass(frozen=True)
class Rest:
    """A folder with two texts and a task, an enclave behind a gateway, and the files that a client needs."""

    folder: Path
    gateway: FakeGateway

    def run(self, *arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and lines of a command with --json."""
        result = CliRunner().invoke(cli, [*map(str, arguments), "--json"], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return int(result.return_value or 0), [json.loads(line) for line in result.stdout.splitlines()]

    def seal(self, *options: str, files: str = "in/*") -> tuple[int, list[dict[str, Any]]]:
        configuration, out = self.folder / "deployment.toml", self.folder / "sealed"
        where = (f"--configuration={configuration}", f"--out={out}", "--key-entry=requests", "--model=tiny")
        return self.run("seal", *sorted(self.folder.glob(files)), *where, *options)

    def submit(self, *options: str) -> tuple[int, list[dict[str, Any]]]:
        sealed = sorted(self.folder.glob("sealed/*.sealed"))
        return self.run("submit", *sealed, f"--url={self.gateway.url}", f"--out={self.folder / 'answers'}", *options)

    def open(self, *options: str) -> tuple[int, list[dict[str, Any]]]:
        answers = sorted(self.folder.glob("answers/*.answer"))
        return self.run("open", *answers, f"--tickets={self.folder / 'sealed'}", *self.trust, *options)

    @property
    def trust(self) -> tuple[str, ...]:
        policy, root = self.folder / "policy.toml", self.folder / "root.pem"
        return (f"--policy={policy}", f"--trust-anchor={root}", "--allow-simulated")


def outcomes(run: tuple[int, list[dict[str, Any]]]) -> tuple[int, list[str]]:
    code, lines = run
    return code, [line["outcome"] for line in lines]


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())
