"""`strongroom policy lint`: findings, their mend, what was not looked at, and files that cannot be used."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attestation.compiler import compile_key_policy
from attestation.policy import Measurements
from attestation.policy_file import dump_measurements
from strongroom.cli.failures import run
from strongroom.cli.policy import policy as command
from tests.attestation import forge
from tests.cli.running import failed, strongroom

CORPUS = Path(__file__).parents[1] / "attestation" / "key_policies"
MANIFEST = json.loads((CORPUS / "manifest.json").read_text())
ROLE: str = MANIFEST["runtime_role"]
KEY_ARN = f"arn:aws:kms:eu-west-1:{MANIFEST['account']}:key/11112222-3333-4444-5555-666677778888"
ONE, TWO = (
    Measurements({index: forge.pcr(index + 100 * release) for index in (0, 1, 2, 3, 16, 17)}, f"release {release}")
    for release in (1, 2)
)
DESCRIPTION = {
    "Arn": KEY_ARN,
    "MultiRegion": False,
    "Origin": "AWS_KMS",
    "Enabled": True,
    "KeyState": "Enabled",
    "KeySpec": "SYMMETRIC_DEFAULT",
    "KeyUsage": "ENCRYPT_DECRYPT",
}

Lint = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lint:
    """Exit code, output and errors, in this process."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["strongroom policy", "lint", *map(str, arguments)])
        return run(command), *capsys.readouterr()

    return call


def compiled(*measurements: Measurements) -> dict[str, object]:
    administrator = f"arn:aws:iam::{MANIFEST['account']}:role/key-admin"
    return compile_key_policy(
        key_arn=KEY_ARN, runtime_role_arn=ROLE, measurements=measurements, administrator_arns=[administrator]
    )


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return written(tmp_path, "key-policy.json", compiled(ONE))


def codes(printed: str, severity: str) -> set[str]:
    return {each["code"] for each in json.loads(printed)["findings"] if each["severity"] == severity}


@pytest.mark.parametrize("entry", MANIFEST["policies"], ids=lambda entry: entry["file"])
def test_exit_codes_follow_the_errors(entry: dict[str, Any], lint: Lint, tmp_path: Path) -> None:
    describe = written(tmp_path, "key.json", {"KeyMetadata": DESCRIPTION})
    code, printed, _ = lint(CORPUS / entry["file"], f"--role={ROLE}", f"--describe={describe}", "--json")
    assert (code, codes(printed, "error")) == (0 if entry["sound"] else 1, set(entry["errors"]))
    assert json.loads(printed)["errors"] >= len(entry["errors"])
    assert "no bypass" not in printed


def test_for_people(lint: Lint) -> None:
    code, printed, _ = lint(CORPUS / "27-console-default.json")
    lines = printed.splitlines()
    assert code == 1
    assert lines[0].startswith("error  ")
    assert any("mend  " in line for line in lines)
    assert any(line.startswith("warning  grants-unseen") for line in lines)
    assert lines[-1] == "errors: 3, warnings: 5; IAM was not looked at"


def test_a_process_of_its_own(sound: Path) -> None:
    done = strongroom("policy", "lint", sound, "--json")
    assert done.returncode == 0
    assert codes(done.stdout.decode(), "warning") == {"iam-unseen", "grants-unseen", "metadata-unseen"}


def test_what_kms_answers(lint: Lint, sound: Path, tmp_path: Path) -> None:
    answer = written(tmp_path, "answer.json", {"Policy": sound.read_text(), "PolicyName": "default"})
    describe = written(tmp_path, "key.json", {"KeyMetadata": DESCRIPTION})
    grants = written(tmp_path, "grants.json", {"Grants": [], "Truncated": False})
    code, printed, _ = lint(answer, f"--describe={describe}", f"--grants={grants}", f"--role={ROLE}", "--json")
    assert code == 0
    assert codes(printed, "error") == set()
    assert codes(printed, "warning") == {"iam-unseen"}
    assert json.loads(printed)["tuples"] is None


def test_a_key_with_replicas_and_grants(lint: Lint, sound: Path, tmp_path: Path) -> None:
    describe = written(tmp_path, "key.json", {"KeyMetadata": {**DESCRIPTION, "MultiRegion": True}})
    grants = written(tmp_path, "grants.json", {"Grants": [{"GrantId": "x"}]})
    code, printed, _ = lint(sound, f"--describe={describe}", f"--grants={grants}", "--json")
    assert (code, codes(printed, "error")) == (1, {"multi-region", "grants"})


def test_the_accounts_strangers_are_known_by_the_keys_arn(lint: Lint, tmp_path: Path) -> None:
    [entry] = (each for each in MANIFEST["policies"] if each["file"].endswith("stranger-puts-policy.json"))
    assert lint(CORPUS / entry["file"])[0] == 0
    describe = written(tmp_path, "key.json", {"KeyMetadata": DESCRIPTION})
    assert lint(CORPUS / entry["file"], f"--describe={describe}")[0] == 1


@pytest.mark.parametrize(
    ("in_key_policy", "in_file", "exit_code", "tuples"),
    [
        ([ONE], [ONE], 0, {"admitted": ["release 1"], "missed": [], "beyond": []}),
        ([ONE], [ONE, TWO], 0, {"admitted": ["release 1"], "missed": ["release 2"], "beyond": []}),
        ([ONE, TWO], [ONE], 1, {"admitted": ["release 1"], "missed": [], "beyond": ["Release2"]}),
    ],
)
def test_against_a_policy_file(
    in_key_policy: list[Measurements],
    in_file: list[Measurements],
    exit_code: int,
    tuples: dict[str, list[str]],
    lint: Lint,
    tmp_path: Path,
) -> None:
    key_policy = written(tmp_path, "key-policy.json", compiled(*in_key_policy))
    file = written(tmp_path, "policy.toml", dump_measurements(in_file))
    code, printed, _ = lint(key_policy, f"--policy={file}", "--json")
    assert (code, json.loads(printed)["tuples"]) == (exit_code, tuples)
    _, printed, _ = lint(key_policy, f"--policy={file}")
    rows = {line.split()[1]: line.split(maxsplit=2)[2] for line in printed.splitlines() if "tuples " in line}
    assert rows == {word: ", ".join(names) or "none" for word, names in tuples.items()}


def test_a_statements_name_cannot_command_a_terminal(lint: Lint, tmp_path: Path) -> None:
    statement = {"Sid": "\x07\u202e", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    file = written(tmp_path, "policy.toml", dump_measurements([ONE]))
    code, printed, _ = lint(written(tmp_path, "evil.json", {"Statement": [statement]}), f"--policy={file}")
    assert code == 1
    assert not {"\x07", "\u202e"} & set(printed)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "expected JSON"),
        ("[]", "expected a JSON object"),
        ('{"Statement": [], "Statement": []}', "gives a name twice"),
        ('{"Statement": NaN}', "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ('{"Policy": "nonsense"}', "expected JSON"),
        (json.dumps({"Id": "x" * 33_000, "Statement": []}), "at most 32768 bytes"),
        ("x" * (5 << 20), "expected at most"),
    ],
)
def test_a_file_that_is_no_key_policy(content: str, reason: str, lint: Lint, tmp_path: Path) -> None:
    code, printed, error = lint(written(tmp_path, "bad.json", content))
    assert (code, printed, reason in error) == (2, "", True), error


@pytest.mark.parametrize(
    ("option", "content", "reason"),
    [
        ("describe", "{}", "with KeyMetadata"),
        ("describe", '{"KeyMetadata": []}', "with KeyMetadata"),
        ("grants", "{}", "with all Grants"),
        ("grants", '{"Grants": 1}', "with all Grants"),
        ("grants", '{"Grants": [], "Truncated": true}', "with all Grants"),
        ("grants", "[]", "JSON object"),
        ("policy", "nonsense", "policy file"),
    ],
)
def test_other_files_that_cannot_be_used(
    option: str, content: str, reason: str, lint: Lint, sound: Path, tmp_path: Path
) -> None:
    code, printed, error = lint(sound, f"--{option}={written(tmp_path, 'bad', content)}")
    assert (code, printed, reason in error) == (2, "", True), error


def test_a_byte_order_mark_is_no_part_of_the_text(lint: Lint, sound: Path) -> None:
    sound.write_text("\ufeff" + sound.read_text())
    assert lint(sound)[0] == 0


def test_who_may_decrypt_must_not_change_the_policy_even_if_no_role_is_named(lint: Lint) -> None:
    [entry] = (each for each in MANIFEST["policies"] if each["file"].endswith("-role-puts-policy.json"))
    code, printed, _ = lint(CORPUS / entry["file"], "--json")
    assert (code, codes(printed, "error")) == (1, {"policy-change-allowed"})


def test_bytes_that_are_no_text(tmp_path: Path, lint: Lint) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b'{"Statement": "\xff"}')
    assert "expected text in UTF-8" in lint(path)[2]


def test_wrong_usage(sound: Path) -> None:
    assert "--role: expected arn" in failed(strongroom("policy", "lint", sound, "--role=me"))
    assert "does not exist" in failed(strongroom("policy", "lint", "none.json"))


def test_it_names_the_digest_that_an_enclave_binds_of_what_kms_returned(lint: Lint, tmp_path: Path) -> None:
    text = json.dumps(compiled(ONE), indent=3)
    answer = written(tmp_path, "answer.json", {"Policy": text, "PolicyName": "default"})
    digest = hashlib.sha384(text.encode()).hexdigest()
    assert json.loads(lint(answer, "--json")[1])["key_policy_sha384"] == digest
    assert digest in lint(answer)[1]


def test_a_bare_policy_has_no_digest_because_kms_may_hold_other_white_space(lint: Lint, tmp_path: Path) -> None:
    bare = written(tmp_path, "policy.json", compiled(ONE))
    assert json.loads(lint(bare, "--json")[1])["key_policy_sha384"] is None
    assert "not known from a bare policy" in lint(bare)[1]
