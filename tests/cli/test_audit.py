"""`strongroom audit`: the logs of a folder, what is held against them, and a receipt's place in one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from attestation.proof_errors import ProofRejected
from strongroom.cli.commands import cli
from strongroom.cli.failures import CommandFailed
from tests.attestation import forge
from tests.attestation.issuing import Enclave, Issued
from tests.cli.receipts import ANY, answered, judged, kept, printed
from tests.cli.running import strongroom
from tests.cli.verifying import anchored, policy_file, write

FILES = ("leaves", "checkpoints", "evidence", "boot.json")
KEYS = ["verdict", "code", "boots", "does_not_prove"]


@pytest.fixture
def enclave() -> Enclave:
    """A boot with a log of ten leaves, the sixth an answer's."""
    boot = Enclave("A")
    boot.fill(5)
    boot.checkpoint()
    return boot


@pytest.fixture
def issued(enclave: Enclave) -> Issued:
    receipt = answered(enclave)
    enclave.fill(4)
    enclave.checkpoint()
    return receipt


@pytest.fixture
def log(tmp_path: Path, enclave: Enclave, issued: Issued) -> Path:
    """The gateway's folder."""
    kept(tmp_path / "log", enclave)
    return tmp_path / "log"


def verified(log: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    return judged("audit", "verify", log, ANY, *anchored(log.parent), *arguments)


def test_a_sound_log(log: Path, enclave: Enclave) -> None:
    code, answer = verified(log)
    assert (code, list(answer), answer["verdict"], answer["code"]) == (0, KEYS, "accepted", None)
    [boot] = answer["boots"]
    assert (boot["boot_id"], boot["leaves"], boot["checkpoints"]) == (enclave.boot_id.hex(), 10, 2)
    assert (boot["root"], boot["simulated"], boot["previous"]) == (enclave.frontier.root().hex(), True, None)
    assert "simulated" in answer["does_not_prove"][0]
    assert "not cut" in answer["does_not_prove"][1]


def test_what_it_says_to_people(log: Path, enclave: Enclave) -> None:
    text = printed("audit", "verify", log, ANY, *anchored(log.parent))
    assert text.startswith(f"accepted  boot {enclave.boot_id.hex()}")
    for line in ("10 leaves under 2 checkpoints", "SIMULATED", "none, claimed by the parent", "it does not prove"):
        assert line in text


def test_what_is_held_agrees(log: Path, enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    held = (
        *("--checkpoint", write(tmp_path, enclave.checkpoints[0], "c")),
        *("--receipt", write(tmp_path, issued.receipt, "r"), "--receipt"),
        write(tmp_path, enclave.bundle(issued).to_bytes(), "b"),
    )
    code, answer = verified(log, *held)
    assert (code, len(answer["boots"][0]["held"])) == (0, 3)


def edited(name: str, change: Any) -> Any:
    def edit(boot: Path) -> None:
        (boot / name).write_bytes(change((boot / name).read_bytes()))

    return edit


def removed(name: str) -> Any:
    return lambda boot: (boot / name).unlink()


def replaced(name: str, make: Callable[[Path], object]) -> Any:
    """By what opens but never ends, or never opens: a folder that came from the parent can hold anything."""

    def replace(boot: Path) -> None:
        (boot / name).unlink()
        make(boot / name)

    return replace


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (edited("leaves", lambda data: data[32:]), "log-root"),
        (edited("leaves", lambda data: data[:-32]), "log-cut"),
        (edited("leaves", lambda data: data + bytes(32)), "log-uncovered"),
        (edited("leaves", lambda data: b"\0" + data[1:]), "log-root"),
        (edited("checkpoints", lambda data: data[:-1]), "log-form"),
        (edited("checkpoints", lambda data: data + data), "log-order"),
        (edited("checkpoints", lambda data: b""), "log-uncovered"),
        (edited("evidence", lambda data: data[:-1] + b"\0"), "binding-digest"),
        (edited("evidence", lambda data: data[:-1]), "evidence-form"),
        (edited("evidence", lambda data: data.replace(b"enc0123", b"enc0124")), "certificate-signature"),
        (edited("boot.json", lambda data: b"{}"), "log-form"),
        (edited("boot.json", lambda data: b"no JSON"), "log-form"),
        (edited("boot.json", lambda data: data.replace(b'"boot_id": "', b'"boot_id": "00')), "log-form"),
        (removed("leaves"), "log-form"),
        (removed("checkpoints"), "log-form"),
        (removed("evidence"), "log-form"),
        (removed("boot.json"), "log-form"),
        *((replaced(name, make), "log-form") for name in FILES for make in (Path.mkdir, os.mkfifo, endless)),
    ],
)
def test_an_edited_log(edit: Any, code: str, log: Path, enclave: Enclave) -> None:
    edit(log / enclave.boot_id.hex())
    exit_code, answer = verified(log)
    assert (exit_code, answer["verdict"], answer["code"]) == (1, "rejected", code)
    assert code in printed("audit", "verify", log, ANY, *anchored(log.parent))


def test_a_tail_cut_with_its_checkpoints(log: Path, enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    boot = log / enclave.boot_id.hex()
    first = enclave.checkpoints[0]
    (boot / "leaves").write_bytes(b"".join(enclave.leaves[:5]))
    (boot / "checkpoints").write_bytes(len(first).to_bytes(4, "big") + first)
    assert verified(log)[0] == 0
    later = write(tmp_path, enclave.checkpoints[1], "c")
    receipt = write(tmp_path, issued.receipt, "r")
    for held in (("--checkpoint", later), ("--receipt", receipt)):
        exit_code, answer = verified(log, *held)
        assert (exit_code, answer["code"]) == (1, "log-cut")


def test_a_bundle_holds_the_checkpoint_that_proves_its_place(
    log: Path, enclave: Enclave, issued: Issued, tmp_path: Path
) -> None:
    """Its receipt is the sixth leaf, but its checkpoint covers ten: a log of six is cut."""
    whole = enclave.bundle(issued, inclusion=enclave.inclusion(issued.claims.leaf_index))
    shorter = Enclave("A")
    shorter.fill(5)
    answered(shorter)
    shorter.checkpoint()
    kept(tmp_path / "cut" / "log", shorter)
    held = ("--receipt", write(tmp_path, whole.to_bytes(), "b"))
    assert verified(log, *held)[0] == 0
    exit_code, answer = verified(tmp_path / "cut" / "log", *held)
    assert (exit_code, answer["code"], len(answer["boots"][0]["held"])) == (1, "log-cut", 1)
    bare = ("--receipt", write(tmp_path, issued.receipt, "r"))
    assert verified(tmp_path / "cut" / "log", *bare)[0] == 0


def test_what_out_keeps_is_held_another_day(log: Path, enclave: Enclave, tmp_path: Path) -> None:
    """A checkpoint of each boot, in one file: a log that was cut since shows, and so does a boot that was left out."""
    other = Enclave("B")
    other.fill(1)
    other.checkpoint()
    kept(log, other)
    file, held = tmp_path / "today", ("--checkpoint", str(tmp_path / "today"))
    assert verified(log, "--out", str(file))[0] == 0
    code, answer = verified(log, *held)
    assert (code, [boot["held"] for boot in answer["boots"]]) == (0, [[str(file)]] * 2)
    boot, first = log / enclave.boot_id.hex(), enclave.checkpoints[0]
    (boot / "leaves").write_bytes(b"".join(enclave.leaves[:5]))
    (boot / "checkpoints").write_bytes(len(first).to_bytes(4, "big") + first)
    assert verified(log)[0] == 0
    assert verified(log, *held)[1]["code"] == "log-cut"
    boot.rename(tmp_path / "elsewhere")
    assert verified(log)[0] == 0
    assert verified(log, *held)[1]["code"] == "log-missing"


def test_out_keeps_only_what_was_accepted_and_never_over_a_file(log: Path, enclave: Enclave, tmp_path: Path) -> None:
    file = tmp_path / "today"
    leaves = edited("leaves", lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    leaves(log / enclave.boot_id.hex())
    assert verified(log, "--out", str(file))[0] == 1
    assert not file.exists()
    leaves(log / enclave.boot_id.hex())
    assert verified(log, "--out", str(file))[0] == 0
    again = CliRunner().invoke(cli, ["audit", "verify", str(log), ANY, *anchored(tmp_path), "--out", str(file)])
    assert isinstance(again.exception, FileExistsError)


def test_a_gateways_own_checkpoints_can_be_held(log: Path, enclave: Enclave) -> None:
    boot = log / enclave.boot_id.hex()
    code, answer = verified(log, "--checkpoint", str(boot / "checkpoints"))
    assert (code, answer["boots"][0]["held"]) == (0, [str(boot / "checkpoints")])


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\1\xd2"])
def test_held_checkpoints_of_another_form(data: bytes, log: Path, tmp_path: Path) -> None:
    asked = ["audit", "verify", str(log), ANY, "--checkpoint", write(tmp_path, data, "c")]
    result = CliRunner().invoke(cli, asked, standalone_mode=False)
    assert isinstance(result.exception, ProofRejected)
    assert result.exception.code in ("checkpoint-form", "log-form")


def test_one_is_one(tmp_path: Path) -> None:
    boot = Enclave("A")
    issued = answered(boot)
    boot.checkpoint()
    kept(tmp_path / "log", boot)
    text = printed("audit", "verify", tmp_path / "log", ANY, *anchored(tmp_path))
    assert "1 leaf under 1 checkpoint, root" in text
    bundle = write(tmp_path, boot.bundle(issued).to_bytes(), "b")
    assert printed(*proved(tmp_path / "log", bundle)).endswith("a log of 1 leaf\n")


def test_a_bare_receipt_does_not_tell_its_leaf(log: Path, enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    bundle = write(tmp_path, enclave.bundle(issued).to_bytes(), "b")
    for held, said in [((write(tmp_path, issued.receipt, "r"), "--receipt", bundle), True), ((bundle,), False)]:
        _, answer = verified(log, "--receipt", *held)
        assert any("a receipt without its salt" in limit for limit in answer["does_not_prove"]) is said


def test_any_measurement_is_said_to_prove_nothing_about_code(log: Path, tmp_path: Path) -> None:
    text = printed("audit", "verify", log, ANY, *anchored(tmp_path))
    assert "which code runs: the caller's policy accepts any measurement" in text
    pinned = printed("audit", "verify", log, "--policy", policy_file(tmp_path), *anchored(tmp_path))
    assert "which code runs" not in pinned


def test_a_log_that_was_not_believed_names_no_hardware(log: Path) -> None:
    """Judged by the default root, a simulated log is rejected, and AWS is not named beside it."""
    text = printed("audit", "verify", log, ANY)
    assert text.startswith("rejected")
    assert "trust-anchor" in text
    assert "AWS" not in text


def test_a_boot_that_was_left_out(log: Path, tmp_path: Path) -> None:
    other = Enclave("B")
    receipt = write(tmp_path, other.issue().receipt, "r")
    exit_code, answer = verified(log, "--receipt", receipt)
    assert (exit_code, answer["code"]) == (1, "log-missing")
    assert [boot["verdict"] for boot in answer["boots"]] == ["accepted", "rejected"]


def test_links_between_boots_are_the_parents_claim(log: Path, enclave: Enclave) -> None:
    later = Enclave("B")
    later.checkpoint()
    kept(log, later, previous=enclave.boot_id)
    code, answer = verified(log)
    links = {boot["boot_id"]: (boot["previous"], boot["previous_is_here"]) for boot in answer["boots"]}
    assert code == 0
    assert links[later.boot_id.hex()] == ({"boot_id": enclave.boot_id.hex(), "claimed_by": "parent"}, True)
    text = printed("audit", "verify", log, ANY, *anchored(log.parent))
    assert f"{enclave.boot_id.hex()}, claimed by the parent\n" in text


def test_a_claimed_boot_is_here_though_its_log_is_none(log: Path, enclave: Enclave) -> None:
    later = Enclave("B")
    later.checkpoint()
    kept(log, later, previous=enclave.boot_id)
    removed("evidence")(log / enclave.boot_id.hex())
    assert "not in this folder" not in printed("audit", "verify", log, ANY, *anchored(log.parent))


def test_a_claimed_boot_that_is_not_here(tmp_path: Path) -> None:
    boot = Enclave("B")
    boot.checkpoint()
    kept(tmp_path / "log", boot, previous=bytes(32))
    assert verified(tmp_path / "log")[1]["boots"][0]["previous_is_here"] is False
    assert "not in this folder" in printed("audit", "verify", tmp_path / "log", ANY, *anchored(tmp_path))


def test_a_boots_folder_has_its_name(log: Path, enclave: Enclave) -> None:
    (log / enclave.boot_id.hex()).rename(log / ("0" * 64))
    assert verified(log)[1]["code"] == "other-boot"


def test_the_policy_is_asked(log: Path, tmp_path: Path) -> None:
    asked = ("audit", "verify", str(log), *anchored(tmp_path), "--policy")
    assert judged(*asked, policy_file(tmp_path))[0] == 0
    code, answer = judged(*asked, policy_file(tmp_path, pcr0=forge.pcr(9)))
    assert (code, answer["code"]) == (1, "measurement")


def test_folders_that_are_none(tmp_path: Path) -> None:
    for strange in (tmp_path / "empty", tmp_path / "log" / "notes"):
        strange.mkdir(parents=True)
    for folder in (tmp_path / "empty", tmp_path / "log"):
        result = CliRunner().invoke(cli, ["audit", "verify", str(folder), ANY], standalone_mode=False)
        assert isinstance(result.exception, CommandFailed)
    (tmp_path / "log" / "notes").rmdir()
    (tmp_path / "log" / "README").write_text("a plain file")
    result = CliRunner().invoke(cli, ["audit", "verify", str(tmp_path / "log"), ANY], standalone_mode=False)
    assert isinstance(result.exception, CommandFailed)


def test_exit_codes_of_the_process(log: Path, enclave: Enclave) -> None:
    asked = ("audit", "verify", str(log), *anchored(log.parent))
    assert [strongroom(*asked, ANY).returncode, strongroom(*asked).returncode] == [0, 2]
    edited("leaves", lambda data: data[32:])(log / enclave.boot_id.hex())
    assert strongroom(*asked, ANY).returncode == 1


# A place in the log


def proved(log: Path, bundle: str) -> tuple[str, ...]:
    return "audit", "prove", str(log), "--receipt", bundle, "--out", str(log.parent / "proved")


def test_prove_puts_the_place_into_the_bundle(log: Path, enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    bundle = write(tmp_path, enclave.bundle(issued, request=None, response=None).to_bytes(), "b")
    code, answer = judged(*proved(log, bundle))
    assert (code, answer["leaves"]) == (0, 10)
    code, answer = judged("receipt", "verify", tmp_path / "proved", ANY, *anchored(tmp_path))
    assert (code, answer["layers"][-1]["status"]) == (0, "passed")
    assert (tmp_path / "proved").stat().st_mode & 0o777 == 0o600  # it can hold a prompt and an answer
    again = CliRunner().invoke(cli, [*proved(log, bundle)], standalone_mode=False)
    assert isinstance(again.exception, FileExistsError)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (edited("leaves", lambda data: data[:-32]), "log-cut"),
        (edited("leaves", lambda data: data[32:] + data[:32]), "inclusion"),
        (edited("checkpoints", lambda data: b""), "checkpoint-form"),
        (edited("checkpoints", lambda data: data[: 4 + int.from_bytes(data[:4], "big")]), "inclusion-form"),
    ],
)
def test_prove_proves_nothing_from_an_edited_log(
    edit: Any, code: str, log: Path, enclave: Enclave, issued: Issued, tmp_path: Path
) -> None:
    edit(log / enclave.boot_id.hex())
    bundle = write(tmp_path, enclave.bundle(issued).to_bytes(), "b")
    result = CliRunner().invoke(cli, [*proved(log, bundle)], standalone_mode=False)
    assert isinstance(result.exception, ProofRejected)
    assert result.exception.code == code
    assert not (tmp_path / "proved").exists()


def test_prove_needs_the_leafs_salt_and_the_log(log: Path, enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    unsalted = write(tmp_path, enclave.bundle(issued, leaf_salt=None).to_bytes(), "b")
    result = CliRunner().invoke(cli, [*proved(log, unsalted)], standalone_mode=False)
    assert isinstance(result.exception, CommandFailed)
    other = Enclave("B")
    elsewhere = write(tmp_path, other.bundle(other.issue()).to_bytes(), "b")
    result = CliRunner().invoke(cli, [*proved(log, elsewhere)], standalone_mode=False)
    assert isinstance(result.exception, ProofRejected)
    assert result.exception.code == "log-missing"
