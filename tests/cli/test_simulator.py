"""`strongroom simulator`: wrong usage, what each command writes, and the dev KMS as an operator tries it by hand."""

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from mypy_boto3_kms import KMSClient

from strongroom.simulator.attest import SAMPLE_IMAGE, AttestRequest, attest
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.nsm import wall_clock_ms
from strongroom.simulator.pki import LEAF_LIFETIME_S, SimulatedPKI
from tests.cli.running import failed, strongroom
from tests.simulator.helpers import open_cms, spki

CONTEXT = {"model": "m"}
ROOT = {"AWS": "arn:aws:iam::000000000000:root"}
OTHER_ROLE = "arn:aws:iam::111111111111:role/Other"
ZEROS = "00" * 48


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def key_file(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> Path:
    path = tmp_path / "key.der"
    path.write_bytes(spki(rsa_key))
    return path


def attested(state: Path, key_file: Path, *arguments: str) -> bytes:
    out = key_file.with_name("document.cbor")
    done = strongroom("simulator", "attest", "--state", state, "--public-key", key_file, "--out", out, *arguments)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pcr", "32=" + ZEROS], "PCR32"),
        (["--pcr", "0=00"], "48 bytes, got 1"),
        (["--pcr", "x"], "N=HEX"),
        (["--pcr", "17=" + ZEROS, "--pcr", "17=" + ZEROS], "once"),
        (["--nonce", "0"], "hexadecimal"),
        (["--nonce", "11" * 513], "at most 512 bytes, got 513"),
        (["--user-data", "11" * 513], "at most 512 bytes, got 513"),
        (["--public-key", __file__], "openssl"),
        (["--public-key", "/dev/zero"], "at most"),
        (["--public-key", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_attested_is_wrong_usage(
    tmp_path: Path, key_file: Path, arguments: list[str], says: str
) -> None:
    out = tmp_path / "out"
    given = ["--state", str(tmp_path / "state"), "--public-key", str(key_file), "--out", str(out), *arguments]
    assert says in failed(strongroom("simulator", "attest", *given))
    assert not out.exists()


def test_a_damaged_state_folder_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "seed").write_bytes(b"short")
    assert "32 bytes, got 5" in failed(strongroom("simulator", "root", "--state", tmp_path), 1)
    (tmp_path / "file").write_bytes(b"")
    failed(strongroom("simulator", "root", "--state", tmp_path / "file"))


def test_a_variable_that_nobody_set_is_no_state_folder() -> None:
    for command in (["root"], ["kms"], ["attest", "--public-key", __file__, "--out", "out"]):
        assert "empty" in failed(strongroom("simulator", *command, "--state", ""))
    assert not Path("pki").exists()


def test_a_port_in_use_is_no_traceback(tmp_path: Path) -> None:
    with dev_kms(tmp_path) as announced:
        failed(strongroom("simulator", "kms", "--state", tmp_path, "--port", str(announced["port"])))


def test_every_command_shows_an_example() -> None:
    for command in ("attest", "kms", "measure", "root"):
        assert b"Example" in strongroom("simulator", command, "--help").stdout


def test_attest_says_what_it_wrote(tmp_path: Path, key_file: Path) -> None:
    given: list[str | Path] = ["--state", tmp_path, "--public-key", key_file, "--pcr", "17=" + "17" * 48]
    arguments = [*given, "--out", tmp_path / "out"]
    said = json.loads(strongroom("simulator", "attest", *arguments, "--json").stdout)
    assert (said["simulated"], said["bytes"]) == (True, len((tmp_path / "out").read_bytes()))
    assert said["pcrs"]["0"] == SAMPLE_IMAGE[0].hex()
    assert said["pcrs"]["17"] == "17" * 48
    readable = strongroom("simulator", "attest", *arguments).stdout.decode()
    for text in ("simulated", "PCR17", SAMPLE_IMAGE[0].hex(), "5 to 15"):
        assert text in readable


def test_a_document_verifies_under_the_folders_root(tmp_path: Path, key_file: Path) -> None:
    root = tmp_path / "root.pem"
    root.write_bytes(strongroom("simulator", "root", "--state", tmp_path / "state").stdout)
    document = tmp_path / "document.cbor"
    document.write_bytes(attested(tmp_path / "state", key_file, "--nonce", "0f" * 32))
    live = ["--live", "--nonce", "0f" * 32, "--any-measurement"]
    foreign = tmp_path / "foreign.pem"
    foreign.write_bytes(strongroom("simulator", "root", "--state", tmp_path / "other").stdout)
    assert strongroom("verify", document, *live).returncode == 1
    assert strongroom("verify", document, *live, "--trust-anchor", foreign, "--allow-simulated").returncode == 1
    assert strongroom("verify", document, *live, "--trust-anchor", root, "--allow-simulated").returncode == 0


def test_commands_that_start_together_share_one_root(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "strongroom", "simulator", "root", "--state", str(tmp_path / "state")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    roots = {process.communicate(timeout=30)[0] for process in started}
    assert roots == {(tmp_path / "state" / "pki" / "root.pem").read_bytes()}


@contextmanager
def dev_kms(state: Path) -> Iterator[dict[str, Any]]:
    """`strongroom simulator kms` in the clear, until the block ends."""
    command = [sys.executable, "-m", "strongroom", "simulator", "kms", f"--state={state}", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=10)


@dataclass(frozen=True)
class Trial:
    """A dev KMS, its state folder, and one wrapped secret under a key that only the sample image may use."""

    state: Path
    url: str
    kms: KMSClient
    key_arn: str
    wrapped: bytes

    def open(self, document: bytes | None, kms: KMSClient | None = None) -> dict[str, Any]:
        recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}
        more: dict[str, Any] = {} if document is None else {"Recipient": recipient}
        kms = kms or self.kms
        return dict(kms.decrypt(KeyId=self.key_arn, CiphertextBlob=self.wrapped, EncryptionContext=CONTEXT, **more))

    def refusal(self, document: bytes | None, kms: KMSClient | None = None) -> str:
        with pytest.raises(ClientError) as refused:
            self.open(document, kms)
        return refused.value.response["Error"]["Code"]


def new_client(url: str, key_id: str, secret: str) -> KMSClient:
    return boto3.client(
        "kms",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )


def image_policy() -> str:
    """Everything but decryption for the account; decryption for the sample image alone."""
    attested = {f"kms:RecipientAttestation:PCR{index}": value.hex() for index, value in SAMPLE_IMAGE.items()}
    administer = {"Effect": "Allow", "Principal": ROOT, "NotAction": ["kms:Decrypt", "kms:ReEncryptFrom"]}
    use = {"Effect": "Allow", "Principal": ROOT, "Action": "kms:Decrypt"}
    condition = {"StringEqualsIgnoreCase": attested, "StringEquals": {"kms:EncryptionContext:model": "m"}}
    statements = [{**administer, "Resource": "*"}, {**use, "Resource": "*", "Condition": condition}]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    state = tmp_path_factory.mktemp("trial")
    register(state, "AKIAOTHER", RoleCredentials(OTHER_ROLE, "secret"))
    with dev_kms(state) as announced:
        kms = new_client(announced["url"], "any", "any")
        key_arn = kms.create_key()["KeyMetadata"]["Arn"]
        kms.put_key_policy(KeyId=key_arn, Policy=image_policy())
        wrapped = kms.encrypt(KeyId=key_arn, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
        yield Trial(state, announced["url"], kms, key_arn, wrapped)
        kms.close()
        gc.collect()  # errors kept by pytest.raises keep the sockets of their answers open


def test_by_hand_no_document_or_a_bad_one_opens_nothing(trial: Trial, key_file: Path, tmp_path: Path) -> None:
    assert trial.refusal(None) == "AccessDeniedException"
    document = attested(trial.state, key_file)
    assert trial.refusal(document[:-1] + bytes([document[-1] ^ 1])) == "ValidationException"
    assert trial.refusal(attested(tmp_path / "another root", key_file)) == "ValidationException"


@pytest.mark.parametrize("pcr", ["0=" + "ab" * 48, "1=" + "ab" * 48, "2=" + ZEROS])
def test_by_hand_another_measurement_opens_nothing(trial: Trial, key_file: Path, pcr: str) -> None:
    assert trial.refusal(attested(trial.state, key_file, "--pcr", pcr)) == "AccessDeniedException"


def test_by_hand_an_expired_leaf_opens_nothing(trial: Trial, key_file: Path) -> None:
    request = AttestRequest(key_file.read_bytes(), None, None, {})
    now_ms = wall_clock_ms()
    for age_s, code in ((LEAF_LIFETIME_S + 2, "ValidationException"), (LEAF_LIFETIME_S - 60, None)):
        document = attest(SimulatedPKI.open(trial.state), request, at_ms=now_ms - age_s * 1000)
        if code is None:
            assert trial.open(document)["CiphertextForRecipient"]
        else:
            assert trial.refusal(document) == code


def test_by_hand_a_second_account_opens_nothing(trial: Trial, key_file: Path) -> None:
    other = new_client(trial.url, "AKIAOTHER", "secret")
    document = attested(trial.state, key_file)
    assert trial.refusal(document, other) == "AccessDeniedException"
    foreign = other.create_key()["KeyMetadata"]["Arn"]
    planted = other.encrypt(KeyId=foreign, Plaintext=b"planted", EncryptionContext=CONTEXT)["CiphertextBlob"]
    with pytest.raises(ClientError, match="IncorrectKeyException"):
        trial.kms.decrypt(KeyId=trial.key_arn, CiphertextBlob=planted, EncryptionContext=CONTEXT)
    other.close()


def test_by_hand_a_role_is_named_as_the_help_says(tmp_path: Path) -> None:
    shown = strongroom("simulator", "kms", "--help").stdout.decode()
    line = next(line for line in shown.splitlines() if "role_arn" in line)
    (tmp_path / "credentials.json").write_text(line)
    with dev_kms(tmp_path) as announced:
        kms = new_client(announced["url"], "AKIAEXAMPLE", "any")
        assert kms.create_key()["KeyMetadata"]["AWSAccountId"] == "000000000000"
        with pytest.raises(ClientError, match="InvalidSignature"):
            new_client(announced["url"], "AKIAEXAMPLE", "another").create_key()
        kms.close()
    gc.collect()


def test_by_hand_the_image_opens_its_secret(trial: Trial, key_file: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    opened = trial.open(attested(trial.state, key_file))
    assert "Plaintext" not in opened
    assert opened["KeyId"] == trial.key_arn
    assert open_cms(opened["CiphertextForRecipient"], rsa_key) == b"secret"
