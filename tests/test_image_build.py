"""`make eif` and its verbs, by contract: stand-ins for docker and nitro-cli note what they are asked, and answer.

Nothing here proves that the real ones would build this image; it proves what they are told, and what their word is
worth when it is wrong.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from attestation.measurements import parent_role_pcr3
from attestation.policy_file import load_measurements
from strongroom.image import tools
from strongroom.image.errors import ProgramFailed
from strongroom.image.nitro_cli import build_enclave
from strongroom.image.source import source_of
from tests.attestation.eif.builder import (
    PCR0,
    SECTIONS,
    Image,
    certificate,
    envelope,
    key,
    payload,
    pcr,
    rsa_key,
    signature,
)
from tests.image.gone import wait_gone
from tests.image.signers import key_pem, write_pair

ROOT = Path(__file__).parents[1]
BASE = "debian:trixie-slim@sha256:" + "0" * 64
ROLE = "arn:aws:iam::111122223333:role/strongroom-parent"
ENCLAVE_ID = "i-abc12345def67890a-enc9876abcd543210ef12"
PROGRAMS = ("sh", "make", "sleep", "cat", "cp", "git", "grep", "sort", "expand", "sed", "env")

# What the real ones print (facts of aws-nitro-enclaves-cli 1.5.0 and its pages of the AWS documentation).
MEASURED = {
    "HashAlgorithm": "Sha384 { ... }",
    "PCR0": PCR0.hex(),
    "PCR1": pcr(b"kernel", b"console=ttyS0", b"ramdisk 0").hex(),
    "PCR2": pcr(b"ramdisk 1").hex(),
}
BUILT = {"Measurements": MEASURED}
SOUND = Image()
STARTED = {
    "EnclaveName": "strongroom",
    "EnclaveID": ENCLAVE_ID,
    "ProcessID": 12345,
    "EnclaveCID": 16,
    "NumberOfCPUs": 2,
    "CPUIDs": [1, 3],
    "MemoryMiB": 4096,
}
DESCRIBED = [{**STARTED, "State": "RUNNING", "Flags": "NONE", **BUILT}]
TERMINATED = {"EnclaveName": "strongroom", "EnclaveID": ENCLAVE_ID, "Terminated": True}

NITRO_CLI = """#!{python} -S
import json, os, sys
arguments = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(" ".join(["nitro-cli", *arguments]) + "\\n")
sys.stderr.write("Start building the Enclave Image...\\n")
case = json.loads(open({case!r}).read())
if arguments[0] == "build-enclave" and case["image"] is not None:
    with open(arguments[arguments.index("--output-file") + 1], "wb") as output:
        output.write(bytes.fromhex(case["image"]))
sys.stdout.write(case["answers"].get(arguments[0], "nitro-cli 1.5.0"))
sys.exit(case["exit"] if arguments[0] == "build-enclave" else 0)
"""
DOCKER = """#!/bin/sh
echo "docker $*" >> "$CALLS"
echo "chatter of docker"
{body}
"""


@dataclass(frozen=True)
class Bench:
    """A PATH of programs that hold no docker and no nitro-cli but the stand-ins, and the folder that make writes to."""

    folder: Path
    environment: dict[str, str]

    @property
    def eif(self) -> Path:
        return self.folder / "x.eif"

    @property
    def policy(self) -> Path:
        return self.folder / "policy.toml"

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def docker(self, body: str = "") -> None:
        self._program("docker", DOCKER.format(body=body))

    def nitro_cli(self, image: Image | None = SOUND, built: Any = BUILT, exit_code: int = 0) -> None:
        answers = {
            "build-enclave": built if isinstance(built, str) else json.dumps(built, indent=2),
            "run-enclave": json.dumps(STARTED, indent=2),
            "describe-enclaves": json.dumps(DESCRIBED, indent=2),
            "terminate-enclave": json.dumps(TERMINATED, indent=2),
        }
        case = self.folder / "case.json"
        data = None if image is None else image.to_bytes().hex()
        case.write_text(json.dumps({"image": data, "answers": answers, "exit": exit_code}))
        self._program("nitro-cli", NITRO_CLI.format(python=sys.executable, case=str(case)))

    def hanging_nitro_cli(self, after_s: int = 1) -> None:
        """One that answers what version it is, and nothing else. It tells its pid when whoever started it waits."""
        pid = self.folder / "pid"
        self._program(
            "nitro-cli", f'#!/bin/sh\n[ "$1" = --version ] && exit\nsleep {after_s}\necho $$ > {pid}\nexec sleep 60\n'
        )

    def make(self, target: str, **variables: str | Path) -> subprocess.CompletedProcess[str]:
        given = {"TAG": "test", "EIF": self.eif, **variables}
        arguments = [f"{name}={value}" for name, value in given.items() if name not in self.environment]
        command = ["make", "--no-print-directory", "-o", ".venv/.installed", target, *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60)

    def with_variables(self, **variables: str) -> "Bench":
        """One whose variables come to make through the environment."""
        return replace(self, environment={**self.environment, **variables})

    def _program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    return Bench(tmp_path, {"PATH": str(programs), "CALLS": str(tmp_path / "calls"), "HOME": str(tmp_path)})


@pytest.fixture
def ready(bench: Bench) -> Bench:
    bench.docker()
    bench.nitro_cli()
    return bench


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of the failure, without what make and nitro-cli add."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


def test_docker_builds_the_file_and_nitro_cli_takes_the_tag(ready: Bench) -> None:
    done = ready.make("eif", BASE=BASE)
    assert done.returncode == 0, done.stderr
    *before, build = ready.calls
    assert before == [
        "docker info",
        "nitro-cli --version",
        f"docker build --file Dockerfile.enclave --build-arg BASE={BASE} --tag test .",
    ]
    words = build.split()
    assert words[:4] == ["nitro-cli", "build-enclave", "--docker-uri", "test"]
    assert (words[4], len(words)) == ("--output-file", 6)
    assert ready.eif.read_bytes() == SOUND.to_bytes()
    assert PCR0.hex() in done.stdout
    assert "chatter of docker" in done.stderr
    assert "chatter" not in done.stdout
    source = source_of(ROOT)
    said = [line.partition(", ")[0] for line in done.stderr.splitlines() if line.startswith("… source: ")]
    assert said == ([] if source is None else [f"… source: commit {source.commit[:12]}"])
    assert not list(ready.folder.glob(".x.eif*"))


AWKWARD = """it's "a\\ `id` $HOME $(id) ${HOME} $$ #;&|<>* %s ü"""


@pytest.mark.parametrize("by_environment", [False, True], ids=["argument", "environment"])
def test_no_character_of_a_variable_is_make_s_or_the_shell_s(ready: Bench, by_environment: bool) -> None:
    def make(target: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return ready.with_variables(**variables).make(target) if by_environment else ready.make(target, **variables)

    eif, policy, signer = (f"{ready.folder}/{name} {AWKWARD}" for name in ("eif", "policy", "signer"))
    write_pair(ready.folder)[0].rename(signer)
    image = Image().with_sections(signature())
    ready.nitro_cli(image, {"Measurements": json.loads(described(ready, image))["Measurements"]})
    given = {"TAG": AWKWARD, "EIF": eif, "BASE": BASE, "POLICY": policy, "ENTRY": "of 1.4", "ROLE": ROLE}
    given |= {"SIGNING_CERTIFICATE": signer, "SIGNING_CERTIFICATE_KEY": KMS_KEY}
    done = make("eif", **given)
    assert done.returncode == 0, done.stderr
    assert ready.calls[-1].startswith(
        f"nitro-cli build-enclave --docker-uri {AWKWARD} --output-file {ready.folder}/.eif "
    )
    assert ready.calls[-1].endswith(f"--signing-certificate {signer} --private-key {KMS_KEY}")
    [entry] = load_measurements(Path(policy).read_bytes())
    assert (entry.name, Path(eif).exists()) == ("of 1.4", True)
    assert "expected a name of" in failed(make("eif", **{**given, "ENTRY": 'a"b'}))
    assert "expected CID=NUMBER, got '$(shell id)'" in failed(make("eif-run", MEMORY="1", CID="$(shell id)"))
    assert make("eif-terminate", ENCLAVE=AWKWARD).returncode == 0
    assert ready.calls[-1] == f"nitro-cli terminate-enclave --enclave-name {AWKWARD}"
    assert repr(AWKWARD)[1:-1] in failed(make("eif-local", RECORD=f"{ready.folder}/{AWKWARD}"))


def test_an_empty_variable_of_the_environment_is_none(ready: Bench) -> None:
    ready.eif.write_bytes(SOUND.to_bytes())
    assert ready.with_variables(TAG="", POLICY="", ROLE="", CPUS="", RECORD="").make("eif", BASE=BASE).returncode == 0
    assert ready.calls[2].endswith("--tag strongroom-enclave .")
    assert ready.with_variables(CPUS="", CID="").make("eif-run", MEMORY="4096").returncode == 0
    assert ready.calls[-1] == f"nitro-cli run-enclave --eif-path {ready.eif} --cpu-count 2 --memory 4096"


def test_who_ends_make_ends_the_build(ready: Bench) -> None:
    ready.hanging_nitro_cli(after_s=0)
    command = ["make", "-o", ".venv/.installed", "eif", f"BASE={BASE}", f"EIF={ready.eif}"]
    with subprocess.Popen(command, env=ready.environment, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not (ready.folder / "pid").exists() or not (ready.folder / "pid").read_text():
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        assert process.wait(30) != 0
    wait_gone([int((ready.folder / "pid").read_text())])
    assert not list(ready.folder.glob("*x.eif*"))


def test_the_list_of_targets_has_two_columns(bench: Bench) -> None:
    lines = bench.make("help").stdout.splitlines()
    assert len(lines) > 20
    assert len({re.match(r"[a-z-]+ {2,}", line).end() for line in lines}) == 1  # type: ignore[union-attr]


def test_a_date_reaches_docker(ready: Bench) -> None:
    dated = replace(ready, environment={**ready.environment, "SOURCE_DATE_EPOCH": "86400"})
    assert dated.make("eif", BASE=BASE).returncode == 0
    assert f"--build-arg BASE={BASE} --build-arg SOURCE_DATE_EPOCH=86400 --tag" in dated.calls[2]


@pytest.mark.parametrize("seconds", ["now", "-1", "1 "])
def test_a_date_that_is_none(ready: Bench, seconds: str) -> None:
    dated = replace(ready, environment={**ready.environment, "SOURCE_DATE_EPOCH": seconds})
    assert "SOURCE_DATE_EPOCH: expected seconds" in failed(dated.make("eif", BASE=BASE))
    assert ready.calls == []


def test_a_folder_that_is_not_there_is_told_before_the_build(ready: Bench) -> None:
    missing = ready.folder / "none"
    assert "No such file or directory" in failed(ready.make("eif", BASE=BASE, EIF=missing / "x.eif"))
    assert "No such file or directory" in failed(ready.make("eif", BASE=BASE, POLICY=missing / "p.toml", ROLE=ROLE))
    assert ready.calls == []


def test_a_signed_image(ready: Bench) -> None:
    image = Image().with_sections(signature())
    signer, private_key = write_pair(ready.folder)
    pcr8 = json.loads(described(ready, image))["Measurements"]["PCR8"]
    ready.nitro_cli(image, {"Measurements": {**MEASURED, "PCR8": pcr8}})
    done = ready.make(
        "eif",
        BASE=BASE,
        SIGNING_CERTIFICATE=signer,
        SIGNING_CERTIFICATE_KEY=private_key,
        POLICY=ready.policy,
        ROLE=ROLE,
    )
    assert done.returncode == 0, done.stderr
    assert ready.calls[-1].endswith(f"--signing-certificate {signer} --private-key {private_key}")
    assert load_measurements(ready.policy.read_bytes())[0].pcrs[8].hex() == pcr8


def described(bench: Bench, image: Image) -> str:
    path = bench.folder / "other.eif"
    path.write_bytes(image.to_bytes())
    command = [sys.executable, "-m", "strongroom", "eif", "describe", str(path), "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


KMS_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234"


def test_a_key_in_kms_is_nitro_cli_s_to_use(ready: Bench) -> None:
    signer, _ = write_pair(ready.folder)
    arn, image = KMS_KEY, Image().with_sections(signature())
    ready.nitro_cli(image, {"Measurements": json.loads(described(ready, image))["Measurements"]})
    assert ready.make("eif", BASE=BASE, SIGNING_CERTIFICATE=signer, SIGNING_CERTIFICATE_KEY=arn).returncode == 0
    assert ready.calls[-1].endswith(f"--signing-certificate {signer} --private-key {arn}")


@pytest.mark.parametrize("image", [SOUND, Image().with_sections(signature("ES256"))], ids=["unsigned", "by another"])
def test_an_image_that_is_not_signed_as_asked_is_not_kept(ready: Bench, image: Image) -> None:
    signer, _ = write_pair(ready.folder)
    ready.nitro_cli(image, {"Measurements": json.loads(described(ready, image))["Measurements"]})
    done = ready.make("eif", BASE=BASE, SIGNING_CERTIFICATE=signer, SIGNING_CERTIFICATE_KEY=KMS_KEY)
    assert "signed under the certificate given" in failed(done)
    assert not list(ready.folder.glob("*x.eif*"))


def test_no_key_is_lost_to_the_image(ready: Bench) -> None:
    signer, private_key = write_pair(ready.folder)
    signed = {"SIGNING_CERTIFICATE": signer, "SIGNING_CERTIFICATE_KEY": private_key}
    for output in (signer, private_key, ready.policy):
        done = ready.make("eif", BASE=BASE, EIF=output, POLICY=ready.policy, ROLE=ROLE, **signed)
        assert "would be replaced" in failed(done)
    assert ready.calls == []


def test_a_place_that_cannot_be_written_is_told_before_the_build(ready: Bench) -> None:
    os.mkfifo(ready.policy)
    assert "regular file or none" in failed(ready.make("eif", BASE=BASE, POLICY=ready.policy, ROLE=ROLE))
    assert "regular file or none" in failed(ready.make("eif", BASE=BASE, EIF=ready.policy))
    assert "error: /proc" in failed(ready.make("eif", BASE=BASE, EIF="/proc/x.eif"))
    assert ready.calls == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_ended_build_leaves_no_nitro_cli_and_no_draft(ready: Bench, number: signal.Signals) -> None:
    ready.hanging_nitro_cli()
    command = [
        sys.executable,
        "-m",
        "strongroom",
        "eif",
        "from-docker",
        "--docker-uri",
        "x",
        "--output",
        str(ready.eif),
    ]
    with subprocess.Popen(command, env=ready.environment, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not (ready.folder / "pid").exists() or not (ready.folder / "pid").read_text():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    with pytest.raises(ProcessLookupError):
        os.kill(int((ready.folder / "pid").read_text()), 0)
    assert not list(ready.folder.glob("*x.eif*"))


def test_a_nitro_cli_that_hangs_is_ended_and_told_and_leaves_no_draft(
    ready: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.hanging_nitro_cli(after_s=0)
    monkeypatch.setenv("PATH", ready.environment["PATH"])
    monkeypatch.setattr(tools, "_LIMIT_S", 0.6)
    with pytest.raises(ProgramFailed, match=r"^nitro-cli build-enclave: expected an end within 0\.6 s, got none"):
        build_enclave("x", ready.eif)
    wait_gone([int((ready.folder / "pid").read_text())])
    assert not list(ready.folder.glob("*x.eif*"))


def test_the_tuple_goes_into_the_policy_file_once(ready: Bench) -> None:
    ready.policy.write_text("# ours\n")
    for _ in range(2):
        done = ready.make("eif", BASE=BASE, POLICY=ready.policy, ENTRY="release 1.4.0", ROLE=ROLE)
        assert done.returncode == 0, done.stderr
    text = ready.policy.read_text()
    assert text.startswith("# ours\n")
    [entry] = load_measurements(text.encode())
    assert (entry.name, entry.pcrs[0], entry.pcrs[3]) == ("release 1.4.0", PCR0, parent_role_pcr3(ROLE))
    ready.policy.write_text(text + f'pcr17 = "{"77" * 48}"\n')
    assert ready.make("eif", BASE=BASE, POLICY=ready.policy, ENTRY="release 1.4.0").returncode == 0
    [entry] = load_measurements(ready.policy.read_bytes())
    assert list(entry.pcrs) == [0, 1, 2, 3, 17]


@pytest.mark.parametrize("base", ["", "debian:trixie-slim", "debian@sha1:00", "debian@sha256:00"])
def test_a_base_without_a_digest_is_refused_with_the_command_that_prints_one(ready: Bench, base: str) -> None:
    assert "docker inspect" in failed(ready.make("eif", BASE=base))
    assert ready.calls == []


@pytest.mark.parametrize(
    ("policy", "variables", "words"),
    [
        ("nonsense", {"ROLE": ROLE}, "expected a policy file in TOML"),
        ("", {}, "expected the parent's role"),
        ("", {"ROLE": "parent"}, "an IAM role's ARN"),
        ("", {"ROLE": ROLE, "ENTRY": "!"}, "expected a name"),
        ("", {"ROLE": ROLE, "ANY_PARENT_ROLE": "1"}, "not both"),
    ],
    ids=["broken", "no role", "no ARN", "no name", "both"],
)
def test_a_policy_that_could_not_be_written_is_refused_before_the_build(
    ready: Bench, policy: str, variables: dict[str, str], words: str
) -> None:
    ready.policy.write_text(policy)
    assert words in failed(ready.make("eif", BASE=BASE, POLICY=ready.policy, **variables))
    assert ready.calls == []
    assert ready.policy.read_text() == policy


def test_a_key_that_no_enclave_would_start_with_is_refused_before_the_build(ready: Bench) -> None:
    signer, private_key = write_pair(ready.folder)
    assert "or neither" in failed(ready.make("eif", BASE=BASE, SIGNING_CERTIFICATE=signer))
    private_key.write_bytes(key_pem(key("ES256")))
    assert "the certificate's" in failed(
        ready.make("eif", BASE=BASE, SIGNING_CERTIFICATE=signer, SIGNING_CERTIFICATE_KEY=private_key)
    )
    signer.write_bytes(certificate(rsa_key()))
    assert "a certificate with an EC key" in failed(
        ready.make("eif", BASE=BASE, SIGNING_CERTIFICATE=signer, SIGNING_CERTIFICATE_KEY=KMS_KEY)
    )
    signer.write_bytes(certificate(key("ES256"))[:80])
    assert "certificate:" in failed(
        ready.make("eif", BASE=BASE, SIGNING_CERTIFICATE=signer, SIGNING_CERTIFICATE_KEY=private_key)
    )
    assert ready.calls == []


def test_a_docker_client_without_an_engine_is_told(bench: Bench) -> None:
    bench.docker("exit 1")
    bench.nitro_cli()
    assert "no usable docker ('docker info' fails); install its engine" in failed(bench.make("eif", BASE=BASE))
    assert bench.calls == ["docker info"]


def test_what_is_missing_is_told_before_anything_is_built(bench: Bench) -> None:
    assert "no docker; install its engine" in failed(bench.make("eif", BASE=BASE))
    bench.docker()
    assert "no nitro-cli; on Amazon Linux 2023: dnf install" in failed(bench.make("eif", BASE=BASE))
    assert bench.calls == ["docker info"]


def test_a_build_that_docker_fails_ends_there(ready: Bench) -> None:
    ready.docker('[ "$1" = info ] || exit 17')
    assert "docker build: expected exit code 0, got 17" in failed(ready.make("eif", BASE=BASE))
    assert not any("build-enclave" in call for call in ready.calls)


LIE = {"Measurements": {**MEASURED, "PCR2": "00" * 48}}


@pytest.mark.parametrize(
    ("image", "built", "exit_code", "words"),
    [
        pytest.param(SOUND, LIE, 0, f"PCR2: expected what nitro-cli says, '{'00' * 48}', got '{MEASURED['PCR2']}'"),
        pytest.param(Image([*SECTIONS[:4], replace(SECTIONS[4], data=b"x")]), BUILT, 0, "PCR0: expected", id="other"),
        pytest.param(SOUND, {"Measurements": {**MEASURED, "PCR8": "11" * 48}}, 0, "PCR8: expected", id="PCR8"),
        pytest.param(SOUND, {"Measurements": {}}, 0, "HashAlgorithm: expected", id="no measurements"),
        pytest.param(Image().with_sections(signature()), BUILT, 0, "PCR8: expected", id="unasked signature"),
        pytest.param(SOUND, "{}", 0, "one JSON object with its Measurements", id="another object"),
        pytest.param(SOUND, "done", 0, "one JSON object with its Measurements", id="no JSON"),
        pytest.param(SOUND, "\\udc80", 0, "one JSON object with its Measurements", id="no text"),
        pytest.param(SOUND, "x" * 70000, 0, "at most 65536 bytes", id="endless"),
        pytest.param(SOUND, {"Measurements": {"PCR0": 5}}, 0, "one JSON object", id="a number"),
        pytest.param(None, BUILT, 0, "expected an EIF where --output-file says", id="no file"),
        pytest.param(SOUND, BUILT, 33, "nitro-cli build-enclave: expected exit code 0, got 33", id="failure"),
        pytest.param(Image(crc32=0), BUILT, 0, "the file is damaged", id="CRC"),
        pytest.param(Image(tail=b"x"), BUILT, 0, "expected the end of the file", id="structure"),
    ],
)
def test_nothing_is_kept_of_what_does_not_agree(
    ready: Bench, image: Image | None, built: Any, exit_code: int, words: str
) -> None:
    ready.eif.write_bytes(b"older")
    ready.nitro_cli(image, built, exit_code)
    assert words in failed(ready.make("eif", BASE=BASE, POLICY=ready.policy, ROLE=ROLE))
    assert ready.eif.read_bytes() == b"older"
    assert not ready.policy.exists()
    assert not list(ready.folder.glob(".x.eif*"))


def test_run_asks_for_what_it_is_told(ready: Bench) -> None:
    ready.eif.write_bytes(SOUND.to_bytes())
    done = ready.make("eif-run", MEMORY="4096", CID="16")
    assert json.loads(done.stdout) == STARTED
    assert ready.make("eif-run", MEMORY="2048", CPUS="4").returncode == 0
    start = f"nitro-cli run-enclave --eif-path {ready.eif} --cpu-count"
    assert ready.calls == [f"{start} 2 --memory 4096 --enclave-cid 16", f"{start} 4 --memory 2048"]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Image(crc32=0), "the file is damaged"),
        (Image().with_sections(signature(cose=envelope(signed=payload(bytes(48))))), "does not hold"),
        (Image(tail=b"x"), "expected the end of the file"),
        (Image(SECTIONS[:4]), "measures an application"),
    ],
    ids=["crc", "signature", "structure", "no application"],
)
def test_what_is_not_sound_is_not_run(ready: Bench, image: Image, words: str) -> None:
    ready.eif.write_bytes(image.to_bytes())
    assert words in failed(ready.make("eif-run", MEMORY="4096"))
    assert ready.calls == []


@pytest.mark.parametrize(
    "variables", [{}, {"MEMORY": "4 GiB"}, {"MEMORY": "4096", "CPUS": "-1"}, {"MEMORY": "1", "CID": "x"}]
)
def test_numbers_that_are_none(ready: Bench, variables: dict[str, str]) -> None:
    ready.eif.write_bytes(SOUND.to_bytes())
    assert "=NUMBER, got" in failed(ready.make("eif-run", **variables))
    assert ready.calls == []


def test_one_is_terminated_by_id_or_by_name(ready: Bench) -> None:
    assert json.loads(ready.make("eif-terminate", ENCLAVE=ENCLAVE_ID).stdout) == TERMINATED
    assert ready.make("eif-terminate", ENCLAVE="strongroom").returncode == 0
    assert ready.calls == [
        f"nitro-cli terminate-enclave --enclave-id {ENCLAVE_ID}",
        "nitro-cli terminate-enclave --enclave-name strongroom",
    ]
    assert "make eif-describe lists them" in failed(ready.make("eif-terminate"))


def test_those_that_run_are_listed(ready: Bench) -> None:
    assert json.loads(ready.make("eif-describe").stdout) == DESCRIBED
    assert ready.calls == ["nitro-cli describe-enclaves"]


@pytest.mark.parametrize("target", ["eif-run", "eif-terminate", "eif-describe"])
def test_each_verb_says_that_nitro_cli_is_missing(bench: Bench, target: str) -> None:
    assert "no nitro-cli; on Amazon Linux 2023: dnf install" in failed(bench.make(target, MEMORY="1", ENCLAVE="x"))


def test_the_command_of_the_image_is_absolute_and_there_is_no_entry_point() -> None:
    text = (ROOT / "Dockerfile.enclave").read_text()
    assert '\nCMD ["/usr/bin/python3", "-m", "enclave"]\n' in text
    assert "\nENTRYPOINT" not in text
    assert os.access(ROOT / "deploy" / "nitro-enclave.sh", os.X_OK)


def test_no_switch_for_simulation_is_in_the_measured_code() -> None:
    from strongroom.image.measured import MEASURED

    files = [ROOT / name for name in MEASURED if name.endswith(".py")]
    assert len(files) > 40
    for path in files:
        text = path.read_text()
        assert "environ.get(" not in text or path.name == "telemetry.py", path
        assert "sys.argv" not in text
        assert "argparse" not in text
        assert "strongroom.simulator" not in text
