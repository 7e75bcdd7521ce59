"""`strongroom seal` with nothing but GenerateDataKey, at a dev KMS; killed with SIGKILL again and again."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from msgspec import structs

from strongroom.client.tickets import Ticket
from strongroom.documents import to_toml
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.envelopes import read_envelope
from strongroom.protocol.payloads import ChatTask, Message
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.part import Part
from tests.client.fake_enclave import CONFIGURATION, MODELS, REQUESTS
from tests.docs.test_examples import ROOT, blocks

REGION, ACCOUNT = "us-east-1", "000000000000"
SEALER, OPERATOR = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("sealer", "operator"))
FILES = 200


@dataclass(frozen=True)
class KMS:
    """A dev KMS, its operator, and one key that the sealer's role may make data keys under, for requests."""

    folder: Path
    endpoint: str
    operator: Any
    entry: KeyEntry

    @property
    def environment(self) -> dict[str, str]:
        """What a sealer has of AWS."""
        ca, credentials = str(self.folder / "tls" / "ca.pem"), {"AWS_ACCESS_KEY_ID": "ASIASEALER"}
        where = {"AWS_ENDPOINT_URL_KMS": self.endpoint, "AWS_CA_BUNDLE": ca, "AWS_SECRET_ACCESS_KEY": "secret"}
        return {**credentials, **where}

    def client(self, key_id: str) -> Any:
        ca = str(self.folder / "tls" / "ca.pem")
        session = boto3.Session(aws_access_key_id=key_id, aws_secret_access_key="secret")
        return session.client("kms", region_name=REGION, endpoint_url=self.endpoint, verify=ca)

    def unwrap(self, wrapped: bytes) -> bytes:
        context = self.entry.fixed_context
        return bytes(self.operator.decrypt(CiphertextBlob=wrapped, EncryptionContext=context)["Plaintext"])


def policy() -> str:
    """The page's statement for whoever seals, and everything for the operator."""
    [sealer] = map(json.loads, blocks(ROOT / "docs" / "files-at-rest.md", "json"))
    assert sealer["Principal"] == {"AWS": SEALER}
    operator = {"Effect": "Allow", "Principal": {"AWS": OPERATOR}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [operator, sealer]})


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KMS]:
    folder = tmp_path_factory.mktemp("kms")
    part = Part("kms", "strongroom", ["simulator", "kms", "--state=.", "--tls"], folder=folder)
    endpoint = f"https://127.0.0.1:{part.wait_announced(20)['port']}"
    for key_id, role in (("ASIASEALER", SEALER), ("ASIAOPERATOR", OPERATOR)):
        register(folder, key_id, RoleCredentials(role, "secret"))
    made = KMS(folder, endpoint, None, REQUESTS)
    operator = made.client("ASIAOPERATOR")
    arn = operator.create_key()["KeyMetadata"]["Arn"]
    operator.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy())
    yield KMS(folder, endpoint, operator, structs.replace(REQUESTS, arn=arn))
    part.stop()


def sealing(kms: KMS, folder: Path) -> subprocess.Popen[bytes]:
    """`strongroom seal` of all files in `in`, as the sealer."""
    configuration = structs.replace(CONFIGURATION, key=[MODELS, kms.entry])
    (folder / "deployment.toml").write_bytes(to_toml(configuration))
    files = map(str, sorted((folder / "in").iterdir()))
    options = ("--configuration=deployment.toml", "--key-entry=requests", "--model=m", "--out=out", "--json")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "strongroom", "seal", *files, *options]
    return subprocess.Popen(command, cwd=folder, env={**kept, **kms.environment}, stdout=subprocess.PIPE)


def notes(folder: Path, count: int) -> dict[str, str]:
    (folder / "in").mkdir()
    texts = {f"{number:02}.txt": f"note {number}" for number in range(count)}
    for name, text in texts.items():
        (folder / "in" / name).write_text(text)
    return texts


def contents(folder: Path, ending: str) -> dict[str, bytes]:
    return {path.name.removesuffix(ending): path.read_bytes() for path in (folder / "out").glob(f"[!.]*{ending}")}


def test_generate_data_key_is_all_that_sealing_needs(kms: KMS, tmp_path: Path) -> None:
    notes(tmp_path, 2)
    process = sealing(kms, tmp_path)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, len(out.splitlines())) == (0, 2)
    sealer, key, context = kms.client("ASIASEALER"), kms.entry.arn, kms.entry.fixed_context
    [wrapped] = wrapped_keys(tmp_path)
    forbidden: list[tuple[Callable[..., object], dict[str, object]]] = [
        (sealer.decrypt, {"CiphertextBlob": wrapped, "EncryptionContext": context}),
        (sealer.encrypt, {"KeyId": key, "Plaintext": b"x", "EncryptionContext": context}),
        (sealer.describe_key, {"KeyId": key}),
        (sealer.generate_data_key, {"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": {"purpose": "model"}}),
    ]
    for call, arguments in forbidden:
        with pytest.raises(ClientError, match="AccessDenied"):
            call(**arguments)


def test_killed_again_and_again_then_run_to_its_end(kms: KMS, tmp_path: Path) -> None:
    """Whatever is there is whole after each kill, and no ticket that was there is ever replaced."""
    texts, chance = notes(tmp_path, FILES), random.Random(5)
    seen: dict[str, bytes] = {}
    for lines in (1, 5, 20):
        with sealing(kms, tmp_path) as process:
            assert process.stdout is not None
            for _ in range(len(contents(tmp_path, ".sealed")) + lines):
                process.stdout.readline()
            time.sleep(chance.uniform(0, 0.01))
            process.kill()
        seen = checked(tmp_path, seen)
    assert 26 <= len(seen) < FILES
    with sealing(kms, tmp_path) as process:
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert checked(tmp_path, seen).keys() == contents(tmp_path, ".sealed").keys() == texts.keys()
    keys = {wrapped: kms.unwrap(wrapped) for wrapped in wrapped_keys(tmp_path)}
    assert len(keys) <= 4
    for name, sealed in contents(tmp_path, ".sealed").items():
        envelope = read_envelope(sealed)
        request = envelope.open(keys[envelope.wrapped], kms.entry.arn, kms.entry.fixed_context)
        assert request.task == ChatTask([Message("user", texts[name])])


def wrapped_keys(folder: Path) -> set[bytes]:
    return {read_envelope(sealed).wrapped for sealed in contents(folder, ".sealed").values()}


def checked(folder: Path, seen: dict[str, bytes]) -> dict[str, bytes]:
    """The tickets that are there: each whole, each of its sealed file, and those seen before among them."""
    tickets = contents(folder, ".ticket")
    assert {name: tickets[name] for name in seen} == seen
    for name, sealed in contents(folder, ".sealed").items():
        assert Ticket.from_bytes(tickets[name]).sealed == sealed
    assert all(Ticket.from_bytes(ticket) for ticket in tickets.values())
    return tickets
