"""`strongroom kms doctor`: against the dev KMS every probe is refused; against one that ignores documents it alarms."""

import gc
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvicorn
from moto import mock_aws

from attestation.compiler import compile_key_policy
from attestation.policy import Measurements
from strongroom.cli.failures import run
from strongroom.cli.kms import kms
from strongroom.cli.kms_documents import document_makers
from strongroom.simulator.kms.app import build_app
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.nsm import wall_clock_ms
from tests.attestation import forge

ROLE, OWNER = (f"arn:aws:iam::000000000000:role/{name}" for name in ("parent", "owner"))
CONTEXT = {"purpose": "model", "tenant": "acme"}
OPTIONS = [f"--context={name}={value}" for name, value in CONTEXT.items()]
PCRS = {index: forge.pcr(index) for index in (0, 1, 2, 3, 16, 17)}
SECRET = b"the plaintext that nobody may see"
REFUSAL = b'{"__type": "AccessDeniedException"}'
OFFLINE = {"no-document", "other-root", "wrong-context", "foreign-key"}
"""Probes that need neither a document nor a simulator's state."""
MADE = {"other-image", "other-parent-role", "other-catalogue", "other-configuration", "debug", "expired"}
ALTERED = {"altered-signature", "altered-payload"}


@dataclass(frozen=True)
class Case:
    """A key in a running KMS, and a secret sealed under it."""

    arn: str
    ciphertext: Path
    options: list[str]


Doctor = Callable[..., tuple[int, str, str]]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Exit code, output and errors of the command, with the credentials of one access key."""

    def call(*arguments: str | Path, key_id: str = "ASIAROLE") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["strongroom kms", "doctor", *map(str, arguments)])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        code = run(kms)
        gc.collect()
        return code, *capsys.readouterr()

    return call


def probes(printed: str, answer: str) -> set[str]:
    return {each["name"] for each in json.loads(printed)["probes"] if each["answer"] == answer}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    register(folder, "ASIAROLE", RoleCredentials(ROLE, "secret"))
    register(folder, "ASIAOWNER", RoleCredentials(OWNER, "secret"))
    return folder


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address of an ASGI app."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True)
class Rewriting:
    """A KMS that does not read what it is asked."""

    app: Any
    change: Callable[[dict[str, Any]], dict[str, Any]]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def changed() -> dict[str, Any]:
            message = await receive()
            return {**message, "body": json.dumps(self.change(json.loads(message["body"]))).encode()}

        await self.app(scope, changed, send)


@dataclass(frozen=True)
class Scripted:
    """Something that answers whatever it is asked, by the operation: with success, or, where empty, with an error."""

    answer: Callable[[str], bytes]
    error: Callable[[str], bytes] = lambda _: b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        operation = dict(scope["headers"])[b"x-amz-target"].decode().rpartition(".")[2]
        answer = self.answer(operation)
        await send({"type": "http.response.start", "status": 200 if answer else 400, "headers": []})
        await send({"type": "http.response.body", "body": answer or self.error(operation)})


@pytest.fixture(scope="module")
def url(state: Path) -> Iterator[str]:
    with served(build_app(state)) as address:
        yield address


def made(client: Any, policy: Callable[[str], dict[str, object]], folder: Path, options: list[str]) -> Case:
    arn = client.create_key()["KeyMetadata"]["Arn"]
    sealed = client.encrypt(KeyId=arn, Plaintext=SECRET, EncryptionContext=CONTEXT)["CiphertextBlob"]
    client.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(policy(arn)))
    path = folder / "sealed.bin"
    path.write_bytes(sealed)
    return Case(arn, path, [f"--key-arn={arn}", *options])


def sound(arn: str) -> dict[str, object]:
    return compile_key_policy(
        key_arn=arn, runtime_role_arn=ROLE, measurements=[Measurements(PCRS)], sealer_arns=[OWNER], purposes=["model"]
    )


def attested(arn: str) -> dict[str, object]:
    """As sound, for every principal: also for a caller whose signature nobody checks."""
    policy: dict[str, Any] = sound(arn)
    for statement in policy["Statement"]:
        statement["Principal"] = "*"
    return policy


def anybody(arn: str) -> dict[str, object]:
    root = {"AWS": "arn:aws:iam::000000000000:root"}
    return {"Statement": {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}}


@pytest.fixture(scope="module")
def operator(url: str) -> Iterator[Any]:
    client: Any = boto3.client(
        "kms", region_name="us-east-1", endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any"
    )
    yield client
    client.close()


@pytest.fixture
def guarded(operator: Any, url: str, tmp_path: Path) -> Case:
    return made(operator, sound, tmp_path, [f"--endpoint-url={url}", *OPTIONS])


@pytest.fixture
def unguarded(operator: Any, url: str, tmp_path: Path) -> Case:
    return made(operator, anybody, tmp_path, [f"--endpoint-url={url}", *OPTIONS])


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Case]:
    """moto alone, which knows neither documents nor key policies."""
    with mock_aws():
        client: Any = boto3.client("kms", region_name="us-east-1")
        yield made(client, anybody, tmp_path, OPTIONS)


def test_the_dev_kms_refuses_every_probe(guarded: Case, doctor: Doctor, state: Path) -> None:
    sealed = f"--ciphertext={guarded.ciphertext}"
    code, printed, _ = doctor(*guarded.options, sealed, f"--state={state}", "--json")
    assert code == 0
    report = json.loads(printed)
    assert (report["key"], report["alarms"], report["control"]) == (guarded.arn, [], True)
    assert probes(printed, "refused") == OFFLINE | ALTERED | MADE
    assert probes(printed, "answered") == {"control", "stale"}


def test_for_people(guarded: Case, doctor: Doctor, state: Path) -> None:
    sealed = f"--ciphertext={guarded.ciphertext}"
    code, printed, _ = doctor(*guarded.options, sealed, f"--state={state}")
    assert code == 0
    assert "other-catalogue" in printed
    assert "refused (AccessDeniedException)" in printed
    assert printed.splitlines()[-1] == "every probe that could be made was refused, and the control was answered"


def test_without_a_simulators_state_less_is_possible_and_it_says_so(guarded: Case, doctor: Doctor) -> None:
    code, printed, _ = doctor(*guarded.options, key_id="ASIAOWNER")
    assert code == 0
    assert "not possible (needs --document, or --state of a simulator)" in printed
    assert "may be for another reason" in printed
    code, printed, _ = doctor(*guarded.options, "--json", key_id="ASIAOWNER")
    assert (code, json.loads(printed)["control"]) == (0, False)
    assert probes(printed, "refused") == OFFLINE
    assert probes(printed, "not possible") == ALTERED | MADE | {"control", "stale"}


def test_a_document_of_the_operators_is_altered_and_its_age_reported(
    guarded: Case, doctor: Doctor, state: Path, tmp_path: Path
) -> None:
    make, _ = document_makers(state)
    assert make is not None
    path = tmp_path / "document.cbor"
    path.write_bytes(make(PCRS, wall_clock_ms() - 3_600_000))
    given = [f"--ciphertext={guarded.ciphertext}", f"--document={path}", "--json"]
    code, printed, _ = doctor(*guarded.options, *given)
    assert code == 0
    assert probes(printed, "refused") == OFFLINE | ALTERED
    assert probes(printed, "answered") == {"control"}
    assert "made 360" in printed


def test_a_key_policy_without_attestation_is_an_alarm(unguarded: Case, doctor: Doctor, state: Path) -> None:
    code, printed, _ = doctor(*unguarded.options, f"--state={state}", "--json", key_id="any")
    assert code == 1
    measured = {"other-image", "other-parent-role", "other-catalogue", "other-configuration", "debug"}
    assert set(json.loads(printed)["alarms"]) == {"no-document"} | measured
    assert probes(printed, "refused") == (OFFLINE - {"no-document"}) | ALTERED | {"expired"}


def test_a_kms_that_ignores_documents_is_an_alarm(bare: Case, doctor: Doctor, state: Path) -> None:
    sealed = f"--ciphertext={bare.ciphertext}"
    code, printed, _ = doctor(*bare.options, sealed, f"--state={state}", "--json")
    assert code == 1
    report = json.loads(printed)
    assert set(report["alarms"]) == {"no-document", "other-root", "control", "stale"} | ALTERED | MADE
    assert report["control"] is False
    code, printed, _ = doctor(*bare.options, sealed)
    assert code == 1
    assert printed.splitlines()[-1] == "ALARM: KMS answered no-document, other-root"


@pytest.mark.parametrize(("member", "alarm"), [("EncryptionContext", "wrong-context"), ("KeyId", "foreign-key")])
def test_a_kms_that_ignores_an_argument_is_an_alarm(
    member: str, alarm: str, operator: Any, doctor: Doctor, state: Path, tmp_path: Path
) -> None:
    case = made(operator, attested, tmp_path, OPTIONS)
    right = {"EncryptionContext": CONTEXT, "KeyId": case.arn}[member]

    def ignoring(call: dict[str, Any]) -> dict[str, Any]:
        return call | ({member: right} if "CiphertextBlob" in call else {})

    with served(Rewriting(build_app(state), ignoring)) as other:
        arguments = [*case.options, f"--endpoint-url={other}", f"--ciphertext={case.ciphertext}", f"--state={state}"]
        code, printed, _ = doctor(*arguments, "--json", key_id="any")
    assert (code, json.loads(printed)["alarms"]) == (1, [alarm])
    assert probes(printed, "answered") == {alarm, "control", "stale"}


@pytest.mark.parametrize("answer", [b"{}", b"[1]", b"null", b"<html>", b'{"CiphertextBlob": 1}', b'{"Policy": 1}'])
def test_an_answer_that_is_none_of_kms(answer: bytes, doctor: Doctor, guarded: Case) -> None:
    with served(Scripted(lambda _: answer)) as url:
        for sealed in ([], [f"--ciphertext={guarded.ciphertext}"]):
            code, printed, error = doctor(f"--key-arn={guarded.arn}", f"--endpoint-url={url}", *sealed)
            assert (code, printed, error.count("\n")) == (1, "", 1)
            assert "expected an answer of KMS" in error
            assert "--endpoint-url" in error


@pytest.mark.parametrize("answer", [b"{}", b'{"Plaintext": [1]}', b'{"Plaintext": ""}', b"<html>"])
def test_nothing_is_an_alarm_that_discloses_nothing(answer: bytes, doctor: Doctor, guarded: Case) -> None:
    with served(Scripted(lambda operation: b'{"Policy": "{}"}' if operation == "GetKeyPolicy" else answer)) as url:
        arguments = [f"--key-arn={guarded.arn}", f"--endpoint-url={url}", f"--ciphertext={guarded.ciphertext}"]
        code, printed, error = doctor(*arguments)
    assert (code, printed, "expected an answer of KMS" in error) == (1, "", True)


def test_an_alarm_is_told_even_if_kms_then_falls_silent(doctor: Doctor, guarded: Case) -> None:
    answers = iter([b'{"Policy": "{}"}', b'{"Plaintext": "AAAA"}'])
    with served(Scripted(lambda _: next(answers, b"{}"))) as url:
        arguments = [f"--key-arn={guarded.arn}", f"--endpoint-url={url}", f"--ciphertext={guarded.ciphertext}"]
        code, printed, _ = doctor(*arguments, "--json")
    report = json.loads(printed)
    assert (code, report["alarms"], [each["answer"] for each in report["probes"]]) == (
        1,
        ["no-document"],
        ["answered", "not judged"],
    )


def test_a_plaintext_that_kms_gives_away_is_not_shown(bare: Case, doctor: Doctor, state: Path) -> None:
    client: Any = boto3.client("kms", region_name="us-east-1")
    blob = bare.ciphertext.read_bytes()
    assert client.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == SECRET
    for json_option in ([], ["--json"]):
        arguments = [*bare.options, f"--ciphertext={bare.ciphertext}", f"--state={state}", *json_option]
        said = "".join(map(str, doctor(*arguments)))
        assert SECRET.decode() not in said
        assert SECRET.hex() not in said


def test_who_may_not_seal_is_told_what_to_give(guarded: Case, doctor: Doctor) -> None:
    code, _, error = doctor(*guarded.options)
    assert (code, "AccessDeniedException; give --ciphertext" in error) == (1, True)


def test_a_call_that_was_not_judged_is_no_refusal(doctor: Doctor, guarded: Case) -> None:
    answers = {"GetKeyPolicy": b'{"Policy": "{}"}'}
    errors = iter([b'{"__type": "DisabledException"}'])
    with served(Scripted(lambda operation: answers.get(operation, b""), lambda _: next(errors, REFUSAL))) as url:
        arguments = [f"--key-arn={guarded.arn}", f"--endpoint-url={url}", f"--ciphertext={guarded.ciphertext}"]
        _, printed, _ = doctor(*arguments)
    assert "not judged (DisabledException): no document" in printed
    assert printed.splitlines()[-1].startswith("no alarm, but nothing was shown by no-document")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--key-arn={other}"], "NotFoundException; see --key-arn, --endpoint-url and your credentials"),
        (["--key-arn={arn}", "--document={document}"], "expected one that an enclave made for KMS"),
    ],
)
def test_what_to_change(options: list[str], reason: str, doctor: Doctor, guarded: Case, tmp_path: Path) -> None:
    document = tmp_path / "document"
    document.write_bytes(forge.document(pcrs={1: forge.pcr(1)}, public_key=b"key"))
    places = {"arn": guarded.arn, "other": f"{guarded.arn[:-4]}0000", "document": document}
    code, _, error = doctor(*guarded.options, *(option.format(**places) for option in options), key_id="any")
    assert code in (1, 2)
    assert reason in error


def test_without_credentials(doctor: Doctor, guarded: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    code, _, error = doctor(*guarded.options, key_id="")
    assert (code, "expected AWS credentials, got none (NoCredentialsError); see AWS_PROFILE" in error) == (1, True)


def test_nothing_asked_is_no_success(guarded: Case, doctor: Doctor, state: Path) -> None:
    register(state, "ASIASTALE", RoleCredentials(ROLE, "another secret"))
    code, printed, _ = doctor(*guarded.options, f"--ciphertext={guarded.ciphertext}", key_id="ASIASTALE")
    assert code == 1
    assert "not judged (InvalidSignatureException): no document" in printed
    assert printed.splitlines()[-1].startswith("nothing was shown")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--key-arn=alias/models"], "--key-arn: expected arn:aws:kms:"),
        (["--context=purpose"], "expected NAME=VALUE"),
        (["--context=a=1", "--context=a=2"], "each name once"),
        (["--endpoint-url=nowhere"], "--endpoint-url"),
        (["--document={empty}"], "document: "),
        (["--ciphertext={empty}"], "empty file"),
        (["--state=/nowhere"], "does not exist"),
    ],
)
def test_wrong_usage(arguments: list[str], reason: str, doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    filled = [argument.format(empty=tmp_path / "empty") for argument in arguments]
    arn = "--key-arn=arn:aws:kms:us-east-1:000000000000:key/11112222-3333-4444-5555-666677778888"
    code, _, error = doctor(arn, *filled)
    assert (code, reason in error) == (2, True), error
    assert len(error.splitlines()) == 1


def test_a_kms_that_is_not_there(doctor: Doctor, guarded: Case) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, _, error = doctor(f"--key-arn={guarded.arn}", f"--endpoint-url=http://127.0.0.1:{port}")
    assert (code, "expected an answer of KMS, got none (EndpointConnectionError)" in error) == (1, True)
