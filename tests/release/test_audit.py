"""The audit, with pip-audits that are not: whatever they leave out, nothing passes that was not audited."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.locks import line, lock, sha256

ROOT = Path(__file__).parents[2]

FAKE = """\
import json, pathlib, sys
arguments = dict(each.split("=", 1) for each in sys.argv[1:] if "=" in each)
assert sys.argv[1:4] == ["--strict", "--require-hashes", "--disable-pip"]
assert arguments["--format"] == "json"
text = pathlib.Path(arguments["--requirement"]).read_text()
with pathlib.Path(__file__).with_name("asked").open("a") as asked:
    asked.write(text)
pins = [each.split()[0].split("==") for each in text.splitlines()]
answer = [{"name": name, "version": version, "vulns": []} for name, version in pins]
for each in answer:
    if each["version"] in {"1.24.1", "6.6.6"}:
        each["vulns"] = [{"id": "PYSEC-1", "fix_versions": ["7"] if each["version"] == "6.6.6" else []}]
"""
HONEST = """\
print(json.dumps({"dependencies": answer, "fixes": []}))
sys.exit(any(each.get("vulns") for each in answer))
"""


@pytest.fixture
def locks(tmp_path: Path) -> list[Path]:
    first = lock(tmp_path / "first.txt", line("a==1", "x"), line("b==2"))
    second = lock(tmp_path / "second.txt", line("a==1", "y"), line("b==3 ; python_full_version >= '3.12'"))
    return [first, second]


def pip_audit(folder: Path, body: str) -> None:
    tool = folder / "pip-audit"
    tool.write_text(f"#!{sys.executable}\n{FAKE}{body}")
    tool.chmod(0o755)


def audit(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.release.audit", *arguments]
    environment = {**os.environ, "PATH": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_every_version_of_every_lock_file_is_asked_for_once(tmp_path: Path, locks: list[Path]) -> None:
    pip_audit(tmp_path, HONEST)
    run = audit(tmp_path, *locks, "--json")
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout) == {"audited": 3, "vulnerabilities": [], "error": None}
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [each.split()[0] for each in asked] == ["urllib3==1.24.1", "a==1", "b==2", "b==3"]
    assert sorted(asked[1].split()[1:]) == sorted(f"--hash=sha256:{sha256(file)}" for file in ("x", "y"))


def test_a_vulnerability_fails_and_is_shown_with_its_cure(tmp_path: Path, locks: list[Path]) -> None:
    pip_audit(tmp_path, HONEST)
    bad = lock(tmp_path / "bad.txt", line("worm==6.6.6"))
    run = audit(tmp_path, *locks, bad)
    assert run.returncode == 1
    assert run.stdout == "worm 6.6.6  PYSEC-1  mended in 7\n4 packages audited, 1 known vulnerabilities\n"
    found = json.loads(audit(tmp_path, bad, "--json").stdout)
    assert found["vulnerabilities"] == [{"package": "worm", "version": "6.6.6", "id": "PYSEC-1", "mended_in": ["7"]}]


UNAUDITED = {
    "one is not named": "answer = answer[:1] if len(answer) > 1 else answer\n" + HONEST,
    "another version is named": "answer[0]['version'] += '.1'\n" + HONEST,
    "one is skipped": "answer = [a if a['vulns'] else {'name': a['name'], 'skip_reason': 'why'} for a in answer]\n"
    + HONEST,
    "not found, as the real one says it": "print('ERROR:pip_audit._cli:a: not found', file=sys.stderr); sys.exit(1)",
    "no service, as a traceback": "import socket; socket.create_connection(('service.invalid', 443))",
    "good words, bad end": HONEST.replace("sys.exit(", "sys.exit(2 or "),
    "silence": "sys.exit(0)",
    "no JSON": "print('all is well')",
    "JSON of another kind": "print('[]')",
    "JSON of a vulnerability without a name": HONEST.replace(
        "print(", "[a['vulns'].append({}) for a in answer]; print("
    ),
    "a service that knows nothing": "for each in answer: each['vulns'] = []\n" + HONEST,
}


@pytest.mark.parametrize("body", UNAUDITED.values(), ids=UNAUDITED)
def test_what_was_not_audited_fails_in_one_line(tmp_path: Path, locks: list[Path], body: str) -> None:
    pip_audit(tmp_path, body)
    run = audit(tmp_path, *locks)
    assert (run.returncode, run.stdout) == (1, "")
    [line] = run.stderr.splitlines()
    assert line.startswith("error: ")
    as_json = audit(tmp_path, *locks, "--json")
    assert (as_json.returncode, as_json.stderr) == (1, "")
    found = json.loads(as_json.stdout)
    assert (found["audited"], found["error"]) == (None, line.removeprefix("error: "))


def test_what_is_skipped_or_not_named_is_told_by_name(tmp_path: Path, locks: list[Path]) -> None:
    for case in ("one is skipped", "another version is named"):
        pip_audit(tmp_path, UNAUDITED[case])
        assert audit(tmp_path, locks[0]).stderr.endswith(("nothing on a 1\n", "nothing on urllib3 1.24.1\n"))


def test_a_service_that_is_not_there_is_told(tmp_path: Path, locks: list[Path]) -> None:
    pip_audit(tmp_path, UNAUDITED["no service, as a traceback"])
    run = audit(tmp_path, *locks)
    assert run.stderr.startswith("error: vulnerability service: expected ")
    assert len((tmp_path / "asked").read_text().splitlines()) == 1  # the probe alone


def test_without_pip_audit_nothing_passes(tmp_path: Path, locks: list[Path]) -> None:
    run = audit(tmp_path, *locks)
    assert run.returncode == 1
    assert "make audit installs it" in run.stderr


def test_a_lock_file_that_cannot_be_read_fails_before_anybody_is_asked(tmp_path: Path, locks: list[Path]) -> None:
    pip_audit(tmp_path, HONEST)
    run = audit(tmp_path, *locks, lock(tmp_path / "open.txt", "a>=1\n"))
    assert (run.returncode, run.stdout) == (1, "")
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    "body",
    ["sys.stdout.buffer.write(bytes([255, 254]))\n", "print('[' * 200000)\n", "print([])\n"],
    ids=["no text", "deep", "no object"],
)
def test_garbage_is_one_line(body: str, tmp_path: Path, locks: list[Path]) -> None:
    pip_audit(tmp_path, body)
    run = audit(tmp_path, *locks)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
    assert "expected an answer for every package" in run.stderr
