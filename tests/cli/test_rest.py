"""`strongroom seal`, `submit`, `open`: files at rest, many of them, and each one's failure its own."""

import json
import os
import stat
import subprocess
import sys

import pytest
from aiohttp import web

from strongroom.client.errors import InvalidArgument
from strongroom.protocol.constants import PATH_SEALED
from strongroom.protocol.payloads import ChatTask, EmbedTask, Message
from strongroom.protocol.problems import Problem
from tests.cli.resting import Rest, names, outcomes
from tests.cli.running import strongroom
from tests.client.fake_enclave import PIECES, REQUESTS
from tests.client.fake_gateway import problem

TEXT = "".join(PIECES)


def test_the_whole_way(rest: Rest) -> None:
    (rest.folder / "schema.json").write_text('{"type": "string"}')
    options = ("--max-tokens=7", f"--schema={rest.folder / 'schema.json'}", "--not-after=90d")
    assert outcomes(rest.seal(*options)) == (0, ["sealed"] * 3)
    assert names(rest.folder / "sealed") == [f"{name}.{kind}" for name in ("a.txt", "b.txt", "c.json")
                                             for kind in ("sealed", "ticket")]  # fmt: skip
    assert outcomes(rest.submit()) == (0, ["answered"] * 3)
    out, proofs = rest.folder / "out", rest.folder / "proofs"
    assert outcomes(rest.open(f"--out={out}", f"--proofs={proofs}")) == (0, ["opened"] * 3)
    assert (out / "a.txt.txt").read_text() == TEXT
    assert json.loads((out / "c.json.json").read_text()) == {"vectors": [[1.0, 2.0]], "prompt_tokens": 3}
    [call] = rest.gateway.enclave.kms.calls
    assert (call["KeyId"], call["EncryptionContext"]) == (REQUESTS.arn, REQUESTS.fixed_context)
    tasks = [request.task for _, request in rest.gateway.enclave.opened]
    assert EmbedTask(["x"]) in tasks
    assert ChatTask([Message("user", "first")], max_tokens=7, schema='{"type": "string"}') in tasks


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
    with pytest.raises(InvalidArgument, match="each name once"):
        rest.seal(files="in*/a.txt")
    assert not list(rest.folder.glob("sealed/*"))


def test_an_instant_beyond_400_days(rest: Rest) -> None:
    code, lines = rest.seal("--not-after=401d")
    assert (code, {line["error"]["code"] for line in lines}) == (1, {"invalid-argument"})


def test_files_of_one_name_beside_each_other_in_two_folders(rest: Rest) -> None:
    """Only where they would go to one folder they are in each other's way."""
    rest.seal("--multiple", files="in/a*")
    made = {path.name: path.read_bytes() for path in (rest.folder / "sealed").iterdir()}
    for name in ("x", "y"):
        (rest.folder / name).mkdir()
        for file, data in made.items():
            (rest.folder / name / file).write_bytes(data)
    sealed = sorted(rest.folder.glob("[xy]/*.sealed"))
    assert outcomes(rest.run("submit", *sealed, f"--url={rest.gateway.url}")) == (0, ["answered"] * 2)
    answers = sorted(rest.folder.glob("[xy]/*.answer"))
    assert outcomes(rest.run("open", *answers, *rest.trust)) == (0, ["opened"] * 2)
    with pytest.raises(InvalidArgument, match="each name once"):
        rest.run("open", *answers, *rest.trust, f"--out={rest.folder / 'out'}")


def test_names_that_are_no_unicode(rest: Rest) -> None:
    (rest.folder / "in" / os.fsdecode(b"z\xff.txt")).write_text("third")
    rest.seal(files="in/[az]*")
    assert outcomes(rest.submit()) == (0, ["answered"] * 2)
    code, lines = rest.open()
    assert (code, [line["text"] for line in lines]) == (0, [TEXT] * 2)
    assert outcomes(rest.open(f"--out={rest.folder / 'out'}")) == (0, ["opened"] * 2)


def test_nobody_asks_for_aws_credentials_but_seal(rest: Rest) -> None:
    """Where the packages that would look for them cannot be imported."""
    rest.seal(files="in/a*")
    without = "import sys; sys.modules.update(boto3=None, botocore=None); from strongroom.cli import main; main()"
    sealed, answer = rest.folder / "sealed" / "a.txt.sealed", rest.folder / "sealed" / "a.txt.answer"
    for arguments in (["submit", sealed, f"--url={rest.gateway.url}"], ["open", answer, *rest.trust]):
        command = [sys.executable, "-c", without, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, b"")


def test_an_enclave_without_the_key_entry(rest: Rest) -> None:
    async def stale(request: web.BaseRequest) -> web.StreamResponse:
        return problem(Problem.STALE_KEY)

    rest.seal(files="in/a*")
    rest.gateway.faults[PATH_SEALED] = stale
    code, [line] = rest.submit()
    assert (code, line["error"]["code"]) == (1, "stale-key")
    assert "attested" not in line["error"]["message"]
