"""The benchmark's contract. That the limits are reached is for the benchmark to say, not for a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature

from benchmarks.peers.turns import Refused, Sample, take
from benchmarks.verification import paths
from benchmarks.verification.figures import Figures
from benchmarks.verification.peers import PEERS, ROOT, Lost, running
from benchmarks.verification.race import race, ratio
from benchmarks.verification.samples import MANIFEST, Unusable, load
from tests.attestation import forge
from tests.corpus import corpus

KEYS = ["cold_ratio", "warm_ratio", "lower_bound_us", "peers", "skipped"]


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "benchmarks" / "attestation.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return load(corpus())


def test_one_line_and_exit_1_where_every_peer_is_missing(tmp_path: Path) -> None:
    run = command("--corpus", corpus(), "--json", "--runs", "200", "--peers", tmp_path)
    [line] = run.stdout.splitlines()
    figures = json.loads(line)
    assert list(figures) == KEYS
    assert figures["skipped"] == list(PEERS)
    assert figures["peers"] == {}
    assert 0 < figures["warm_ratio"] < figures["cold_ratio"]
    assert figures["lower_bound_us"] > 100  # five signatures, not fewer
    assert run.returncode == 1
    assert [text.partition(":")[0] for text in run.stderr.splitlines()] == list(PEERS)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--corpus", "no-such-folder"],
        ["--corpus", "."],
        ["--corpus", ".", "--runs", "199"],
        ["--corpus", ".", "--runs", "many"],
        ["--corpus", ".", "--faster"],
    ],
    ids=" ".join,
)
def test_unusable_arguments_are_one_line_and_exit_2(arguments: list[str]) -> None:
    run = command(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith("attestation.py: ")


def test_without_a_manifest_the_verifier_says_what_is_genuine(tmp_path: Path, samples: list[Sample]) -> None:
    for path in corpus().glob("*.cbor"):
        (tmp_path / path.name).symlink_to(path.resolve())
    assert load(tmp_path) == samples


@pytest.mark.parametrize("manifest", ["", "[]", '{"documents": [{"file": "a"}]}', '{"documents": 3}'])
def test_a_manifest_that_says_nothing(manifest: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(Unusable, match="expected documents with file"):
        load(tmp_path)


def test_a_manifest_cannot_make_a_document_genuine(tmp_path: Path) -> None:
    (tmp_path / "made-up.cbor").write_bytes(b"\x84")
    entry = {"file": "made-up.cbor", "kind": "enclave", "verifies_at_own_timestamp": True}
    (tmp_path / MANIFEST).write_text(json.dumps({"documents": [entry]}))
    with pytest.raises(Unusable, match=r"made-up\.cbor: expected a genuine enclave document"):
        load(tmp_path)


@pytest.fixture
def forged_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_ROOT_KEY", forge.pki().keys[0].public_key())


@pytest.mark.usefixtures("forged_root")
@pytest.mark.parametrize("position", [1, 2, 3, 4])
def test_the_lower_bound_verifies_every_certificate(position: int) -> None:
    paths.lower_bound(forge.document())
    with pytest.raises(InvalidSignature):
        paths.lower_bound(forge.document(forge.pki_with(position, foreign_issuer_key=True)))


@pytest.mark.usefixtures("forged_root")
def test_the_lower_bound_verifies_the_document() -> None:
    with pytest.raises(InvalidSignature):
        paths.lower_bound(forge.envelope(cbor2.dumps(forge.fields()), forge.sign(b"another payload")))


def test_a_turn_times_every_document_once_and_warms_with_the_first() -> None:
    seen = []

    def verify(document: bytes) -> None:
        seen.append(document)
        if document == b"b":
            raise Refused

    first, second = take(verify, [Sample(b"a", 1), Sample(b"b", 2)])
    assert seen == [b"a", b"a", b"b"]
    assert first is not None
    assert second is None


def test_a_ratio_leaves_out_what_the_path_refuses() -> None:
    assert ratio([30, None, 50], [10, 1000, 10]) == 4


def figures(**changes: object) -> Figures:
    reached = {"cold_ratio": 1.15, "warm_ratio": 0.25, "lower_bound_us": 2000.0, "peers": {"it": 1.2}, "skipped": ()}
    return Figures(**{**reached, **changes})  # type: ignore[arg-type]  # each test names one field


def test_limits_reached() -> None:
    assert figures().misses() == []
    assert "<= 1.15" in figures().table()


@pytest.mark.parametrize(
    "change",
    [{"cold_ratio": 1.16, "peers": {}}, {"warm_ratio": 0.26}, {"peers": {"it": 1.15}}, {"skipped": ("it",)}],
    ids=str,
)
def test_limits_missed(change: dict[str, object]) -> None:
    [miss] = figures(**change).misses()
    assert f"MISS {miss}" in figures(**change).table()


def test_every_peer_has_its_lock_file_with_hashes() -> None:
    locks = {path.stem: path.read_text() for path in (ROOT / "benchmarks" / "peers").glob("*.txt")}
    assert locks.keys() == {*PEERS, "plain-fastapi", "mosec", "mlserver"}
    for text in locks.values():
        requirements = text.replace("\\\n", "").splitlines()
        assert all("--hash=sha256:" in requirement for requirement in requirements)


def test_peers_race_in_their_own_processes(
    tmp_path: Path, samples: list[Sample], capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("pycose", "evervault-attestation-bindings"):
        (tmp_path / name).symlink_to(sys.prefix)  # has pycose, and has not the other
    with running(tmp_path) as peers:
        assert peers.keys() == {"pycose", "evervault-attestation-bindings"}
        found = race(samples[:2], 11, peers)  # more than one turn
        with pytest.raises(Lost):
            peers["evervault-attestation-bindings"].take(samples[:1])
    assert list(found.peers) == ["pycose"]
    assert found.skipped == ("evervault-attestation-bindings", "epsilon-attestation-verifier")
    lost = "evervault-attestation-bindings: its process ended with 1"
    assert capfd.readouterr().err.splitlines().count(lost) == 1
