"""`strongroom policy`: what a file says, whether it can be used, and the schema that helps to write it."""

import json
from pathlib import Path

import pytest

from attestation.measurements import parent_role_pcr3
from attestation.policy_schema import policy_schema
from tests.attestation import forge
from tests.cli.running import failed, strongroom

ROLE = "arn:aws:iam::111122223333:role/strongroom"
IMAGE = "[[measurement]]\n" + "".join(f'pcr{index} = "{forge.pcr(index).hex()}"\n' for index in range(3))
FILE = (
    f'{IMAGE}name = "release 1.3"\nparent_role = "{ROLE}"\nnot_after = 2026-01-31T00:00:00Z\n'
    f'{IMAGE}any_parent_role = true\npcr17 = "{forge.pcr(17).hex()}"\n'
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(FILE)
    return path


def test_check_shows_each_tuple(file: Path) -> None:
    done = strongroom("policy", "check", file)
    assert done.returncode == 0
    first, second = done.stdout.decode().splitlines()
    for text in ("release 1.3", forge.pcr(0).hex()[:16], parent_role_pcr3(ROLE).hex()[:16], "until 2026-01-31"):
        assert text in first
    for text in ("measurement 2", "ANY parent role", "PCR17", "at any time"):
        assert text in second


def test_check_as_json(file: Path) -> None:
    done = strongroom("policy", "check", file, "--json")
    [line] = done.stdout.splitlines()
    image = {str(index): forge.pcr(index).hex() for index in range(3)}
    assert json.loads(line) == {
        "measurements": [
            {
                "name": "release 1.3",
                "pcrs": image | {"3": parent_role_pcr3(ROLE).hex()},
                "any_parent_role": False,
                "not_before_ms": None,
                "not_after_ms": 1_769_817_600_000,
            },
            {
                "name": "",
                "pcrs": image | {"17": forge.pcr(17).hex()},
                "any_parent_role": True,
                "not_before_ms": None,
                "not_after_ms": None,
            },
        ]
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "measurement"),
        (IMAGE, "measurement 1: expected either PCR3"),
        (FILE + "pcr9 = 1", "measurement 2: "),
        (FILE + "#" * 300_000, "at most"),
    ],
)
def test_check_refuses_what_cannot_be_used(text: str, reason: str, file: Path) -> None:
    file.write_text(text)
    assert reason in failed(strongroom("policy", "check", file))


def test_check_without_a_file(tmp_path: Path) -> None:
    assert "does not exist" in failed(strongroom("policy", "check", tmp_path / "none.toml"))


def test_schema_is_printed_for_people_and_for_programs() -> None:
    printed, line = strongroom("policy", "schema"), strongroom("policy", "schema", "--json")
    assert json.loads(printed.stdout) == json.loads(line.stdout) == policy_schema()
    assert len(printed.stdout.splitlines()) > 10
    assert len(line.stdout.splitlines()) == 1


KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/11112222-3333-4444-5555-666677778888"
TUPLE = f'{IMAGE}parent_role = "{ROLE}"\npcr16 = "{forge.pcr(16).hex()}"\npcr17 = "{forge.pcr(17).hex()}"\n'


def test_compile_prints_a_key_policy(file: Path) -> None:
    file.write_text(TUPLE)
    arguments = ("policy", "compile", file, "--kms", f"--key-arn={KEY_ARN}", f"--role={ROLE}")
    printed, line = strongroom(*arguments), strongroom(*arguments, "--json")
    policy = json.loads(printed.stdout)
    assert len(line.stdout.splitlines()) == 1
    assert json.loads(line.stdout) == policy
    statements = {each["Sid"]: each for each in policy["Statement"]}
    assert statements["Administration"]["Principal"] == {"AWS": ["arn:aws:iam::111122223333:root"]}
    assert "Sealing" not in statements
    assert statements["Release1"]["Action"] == ["kms:Decrypt"]
    purposes = {"kms:EncryptionContext:purpose": ["model", "request"]}
    assert statements["Release1"]["Condition"]["StringEquals"] == purposes


def test_compile_for_named_people_and_one_purpose(file: Path) -> None:
    file.write_text(TUPLE)
    people = [f"--administrator={ROLE}-admin", f"--sealer={ROLE}-owner", "--purpose=request"]
    done = strongroom("policy", "compile", file, "--kms", f"--key-arn={KEY_ARN}", f"--role={ROLE}", *people)
    statements = {each["Sid"]: each for each in json.loads(done.stdout)["Statement"]}
    assert statements["Administration"]["Principal"] == {"AWS": [f"{ROLE}-admin"]}
    assert statements["Sealing"]["Condition"]["StringEquals"]["kms:EncryptionContext:purpose"] == ["request"]


@pytest.mark.parametrize("missing", ["--kms", f"--key-arn={KEY_ARN}", f"--role={ROLE}"])
def test_compile_says_what_to_add(missing: str, file: Path) -> None:
    given = {"--kms", f"--key-arn={KEY_ARN}", f"--role={ROLE}"} - {missing}
    assert "Expected --kms --key-arn ARN --role ARN" in failed(strongroom("policy", "compile", file, *given))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (FILE, "got no PCR16, PCR17"),
        (TUPLE * 3, "1 to 2 tuples"),
        (TUPLE.replace(forge.pcr(17).hex(), "0" * 96), "got zeros"),
        (TUPLE.replace(forge.pcr(0).hex(), "0" * 96), "got zeros"),
    ],
)
def test_compile_refuses(text: str, reason: str, file: Path) -> None:
    file.write_text(text)
    done = strongroom("policy", "compile", file, "--kms", f"--key-arn={KEY_ARN}", f"--role={ROLE}")
    assert reason in failed(done)
    assert done.stdout == b""
