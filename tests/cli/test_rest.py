"""`strongroom seal`, `submit`, `open`: files at rest, many of them, interrupted and gone on with."""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner
from msgspec import structs

from attestation.policy_file import dump_measurements
from strongroom.cli import seal as seal_command
from strongroom.cli.commands import cli
from strongroom.cli.failures import CommandFailed
from strongroom.client.errors import InvalidArgument
from strongroom.client.loop_thread import LoopThread
from strongroom.documents import to_toml
from strongroom.protocol.constants import PATH_SEALED
from strongroom.protocol.payloads import ChatTask, EmbedTask, Message
from strongroom.protocol.problems import Problem
from strongroom.simulator.pki import SimulatedPKI
from tests.cli.running import strongroom
from tests.client.fake_enclave import CONFIGURATION, PIECES, REQUESTS, FakeEnclave
from tests.client.fake_gateway import FakeGateway, problem

TEXT = "".join(PIECES)
DAY_MS = 86_400_000


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


@pytest.fixture
def rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rest]:
    pki = SimulatedPKI.open(tmp_path / "pki")
    loop, gateway = LoopThread(), FakeGateway(FakeEnclave(pki))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("first")
    (tmp_path / "in" / "b.txt").write_text("second")
    (tmp_path / "in" / "c.json").write_text('{"task": "embed", "texts": ["x"]}')
    (tmp_path / "deployment.toml").write_bytes(to_toml(CONFIGURATION))
    (tmp_path / "policy.toml").write_text(dump_measurements([gateway.enclave.policy()]))
    (tmp_path / "root.pem").write_bytes(pki.root_pem())

    def make_key(arn: str, context: dict[str, str], *_: object) -> tuple[bytes, bytes]:
        made = gateway.enclave.kms.generate_data_key(KeyId=arn, EncryptionContext=context)
        return made["Plaintext"], made["CiphertextBlob"]

    monkeypatch.setattr(seal_command, "generate_data_key", make_key)
    loop.run(gateway.start())
    yield Rest(tmp_path, gateway)
    loop.run(gateway.stop())
    loop.close()


def outcomes(run: tuple[int, list[dict[str, Any]]]) -> tuple[int, list[str]]:
    code, lines = run
    return code, [line["outcome"] for line in lines]


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_the_whole_way(rest: Rest) -> None:
    assert outcomes(rest.seal("--max-tokens=7", "--not-after=90d")) == (0, ["sealed"] * 3)
    assert names(rest.folder / "sealed") == [f"{name}.{kind}" for name in ("a.txt", "b.txt", "c.json")
                                             for kind in ("sealed", "ticket")]  # fmt: skip
    assert outcomes(rest.submit()) == (0, ["answered"] * 3)
    out, proofs = rest.folder / "out", rest.folder / "proofs"
    assert outcomes(rest.open(f"--out={out}", f"--proofs={proofs}")) == (0, ["opened"] * 3)
    assert (out / "a.txt.txt").read_text() == TEXT
    assert json.loads((out / "c.json.json").read_text()) == {"vectors": [[1.0, 2.0]]}
    [call] = rest.gateway.enclave.kms.calls
    assert (call["KeyId"], call["EncryptionContext"]) == (REQUESTS.arn, REQUESTS.fixed_context)
    tasks = [request.task for _, request in rest.gateway.enclave.opened]
    assert EmbedTask(["x"]) in tasks
    assert ChatTask([Message("user", "first")], 7) in tasks


def test_secrets_are_their_owners_alone(rest: Rest) -> None:
    rest.seal()
    rest.submit()
    rest.open(f"--out={rest.folder / 'out'}", f"--proofs={rest.folder / 'proofs'}")
    private = [*rest.folder.glob("sealed/*.ticket"), *rest.folder.glob("out/*"), *rest.folder.glob("proofs/*")]
    assert len(private) == 9
    assert {stat.S_IMODE(each.stat().st_mode) for each in private} == {0o600}


def test_a_proof_verifies_offline(rest: Rest) -> None:
    rest.seal()
    rest.submit()
    rest.open(f"--out={rest.folder / 'out'}", f"--proofs={rest.folder / 'proofs'}")
    for given in (rest.trust[0],), ():
        code, [report] = rest.run("receipt", "verify", rest.folder / "proofs" / "a.txt.proof", *given, *rest.trust[1:])
        assert (code, report["verdict"], report["policy"]) == (0, "accepted", "caller" if given else "bundle")
        assert [layer["name"] for layer in report["layers"] if layer["status"] == "skipped"] == ["log"]


def test_answers_are_printed_without_a_folder(rest: Rest) -> None:
    rest.seal()
    rest.submit()
    code, lines = rest.open()
    assert code == 0
    assert [line.get("text", line.get("vectors")) for line in lines] == [TEXT, TEXT, [[1.0, 2.0]]]
    answer = rest.folder / "answers" / "a.txt.answer"
    alone = strongroom("open", answer, f"--tickets={rest.folder / 'sealed'}", *rest.trust)
    assert alone.stdout.decode() == f"{TEXT}\n"


def test_a_second_run_keeps_everything(rest: Rest) -> None:
    rest.seal()
    rest.submit()
    before = {each: each.read_bytes() for each in rest.folder.glob("*ed/*")}
    assert outcomes(rest.seal()) == (0, ["kept"] * 3)
    assert outcomes(rest.submit()) == (0, ["kept"] * 3)
    assert {each: each.read_bytes() for each in rest.folder.glob("*ed/*")} == before
    assert len(rest.gateway.enclave.kms.calls) == 1
    assert len(rest.gateway.messages) == 3


def test_an_interrupted_run_goes_on(rest: Rest) -> None:
    """Killed between a ticket and its request, and before the next file: both are made, and neither twice."""
    rest.seal(files="in/[ab]*")
    sealed = rest.folder / "sealed" / "b.txt.sealed"
    whole = sealed.read_bytes()
    sealed.unlink()
    (rest.folder / "sealed" / ".c.json.ticket.half").write_bytes(b"SRT")
    assert outcomes(rest.seal()) == (0, ["kept", "sealed", "sealed"])
    assert sealed.read_bytes() == whole
    rest.submit()
    assert outcomes(rest.open()) == (0, ["opened"] * 3)


@pytest.mark.parametrize("change", [["--model=other"], ["--max-tokens=9"], ["--key-entry=more"]])
def test_another_run_is_never_overwritten_unasked(rest: Rest, change: list[str]) -> None:
    rest.seal(files="in/a*")
    more = structs.replace(
        CONFIGURATION, key=[*CONFIGURATION.key, structs.replace(REQUESTS, id="more", tenant="other")]
    )
    (rest.folder / "deployment.toml").write_bytes(to_toml(more))
    before = (rest.folder / "sealed" / "a.txt.ticket").read_bytes()
    code, [line] = rest.seal(*change, files="in/a*")
    assert (code, line["error"]["code"]) == (1, "exists")
    assert (rest.folder / "sealed" / "a.txt.ticket").read_bytes() == before
    assert outcomes(rest.seal(*change, "--force", files="in/a*")) == (0, ["sealed"])
    assert (rest.folder / "sealed" / "a.txt.ticket").read_bytes() != before


def test_a_sealed_file_without_its_ticket_is_not_overwritten(rest: Rest) -> None:
    rest.seal(files="in/a*")
    (rest.folder / "sealed" / "a.txt.ticket").unlink()
    code, [line] = rest.seal(files="in/a*")
    assert (code, line["error"]["code"]) == (1, "exists")


def test_the_answer_to_another_request_is_not_overwritten(rest: Rest) -> None:
    rest.seal(files="in/a*")
    rest.submit()
    rest.seal("--force", files="in/a*")
    code, [line] = rest.submit()
    assert (code, line["error"]["code"]) == (1, "exists")
    assert outcomes(rest.submit("--force")) == (0, ["answered"])
    assert outcomes(rest.open()) == (0, ["opened"])


def test_a_file_that_cannot_be_sealed_does_not_stop_the_others(rest: Rest) -> None:
    (rest.folder / "in" / "b.txt").write_bytes(b"\xff")
    (rest.folder / "in" / "c.json").write_text('{"task": "embed", "task": "embed", "texts": ["canary"]}')
    (rest.folder / "in" / "d.txt").write_text("x" * 70_000)
    code, lines = rest.seal()
    assert (code, [line["outcome"] for line in lines]) == (1, ["sealed", "failed", "failed", "failed"])
    assert [line["error"]["code"] for line in lines[1:]] == ["text", "content", "invalid-argument"]
    assert "canary" not in json.dumps(lines)


def test_a_refused_request_does_not_stop_the_others(rest: Rest) -> None:
    rest.seal()

    async def refuse_the_first(request: web.BaseRequest) -> web.StreamResponse:
        if len(rest.gateway.messages) == 1:
            return problem(Problem.REPLAYED)
        return await rest.gateway.sealed(request)

    rest.gateway.faults[PATH_SEALED] = refuse_the_first
    code, lines = rest.submit("--parallel=1")
    assert (code, [line["outcome"] for line in lines]) == (1, ["failed", "answered", "answered"])
    assert lines[0]["error"]["code"] == "gateway-problem"
    assert outcomes(rest.submit("--parallel=1")) == (0, ["answered", "kept", "kept"])


def test_another_policy_opens_nothing(rest: Rest) -> None:
    rest.seal()
    rest.submit()
    policy = (rest.folder / "policy.toml").read_text()
    (rest.folder / "policy.toml").write_text(policy.replace("0101", "1010"))
    code, lines = rest.open(f"--out={rest.folder / 'out'}")
    assert code == 1
    assert {line["error"]["code"] for line in lines} == {"attestation-refused"}
    assert names(rest.folder / "out") == []
    assert "Paris" not in json.dumps(lines)


def test_tickets_that_are_not_there_or_foreign(rest: Rest) -> None:
    rest.seal()
    rest.submit()
    sealed = rest.folder / "sealed"
    (sealed / "a.txt.ticket").unlink()
    (sealed / "b.txt.ticket").write_bytes((sealed / "c.json.ticket").read_bytes())
    (sealed / "c.json.ticket").write_bytes(b"SRT\x01")
    code, lines = rest.open()
    assert (code, [line["error"]["code"] for line in lines]) == (1, ["ticket", "seal-broken", "invalid-argument"])


@pytest.mark.parametrize("span", ["0d", "d", "-1d", "1w", "", "2026-01-31"])
def test_spans_that_are_none(rest: Rest, span: str) -> None:
    with pytest.raises(Exception, match="expected a span like 90d"):
        rest.seal(f"--not-after={span}")


def test_a_run_that_cannot_begin(rest: Rest) -> None:
    with pytest.raises(InvalidArgument, match="purpose 'request'"):
        rest.seal("--key-entry=models")
    (rest.folder / "in2").mkdir()
    (rest.folder / "in2" / "a.txt").write_text("another")
    with pytest.raises(CommandFailed, match="each name once"):
        rest.seal(files="in*/a.txt")
    assert not list(rest.folder.glob("sealed/*"))


def test_an_instant_beyond_400_days(rest: Rest) -> None:
    code, lines = rest.seal("--not-after=401d")
    assert (code, {line["error"]["code"] for line in lines}) == (1, {"invalid-argument"})
