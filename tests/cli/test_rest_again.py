"""`strongroom seal`, `submit`, `open` once more: what is there is kept, and never replaced unasked."""

import time

import pytest
from msgspec import structs

from strongroom.cli import seal as seal_command
from strongroom.cli.failures import CommandFailed
from strongroom.client.resting.errors import FolderInUse
from strongroom.client.resting.places import alone_in
from strongroom.documents import to_toml
from tests.cli.resting import Rest, names, outcomes
from tests.client.fake_enclave import CONFIGURATION, PIECES, REQUESTS


def test_a_second_run_keeps_everything(rest: Rest) -> None:
    rest.seal()
    rest.submit()
    before = {each: each.read_bytes() for each in rest.folder.glob("*ed/*")}
    assert outcomes(rest.seal()) == (0, ["kept"] * 3)
    assert outcomes(rest.submit()) == (0, ["kept"] * 3)
    assert {each: each.read_bytes() for each in rest.folder.glob("*ed/*")} == before
    assert len(rest.gateway.enclave.kms.calls) == 1
    assert len(rest.gateway.messages) == 3


def test_an_interrupted_run_goes_on(rest: Rest) -> None:
    """Killed between a ticket and its request, and before the next file: both are made, and neither twice."""
    rest.seal(files="in/[ab]*")
    sealed = rest.folder / "sealed" / "b.txt.sealed"
    whole = sealed.read_bytes()
    sealed.unlink()
    (rest.folder / "sealed" / ".c.json.ticket.half").write_bytes(b"SRT")
    assert outcomes(rest.seal()) == (0, ["kept", "sealed", "sealed"])
    assert sealed.read_bytes() == whole
    rest.submit()
    assert outcomes(rest.open()) == (0, ["opened"] * 3)


@pytest.mark.parametrize("change", [["--model=other"], ["--max-tokens=9"], ["--key-entry=more"]])
def test_another_run_is_never_overwritten_unasked(rest: Rest, change: list[str]) -> None:
    rest.seal(files="in/a*")
    more = structs.replace(
        CONFIGURATION, key=[*CONFIGURATION.key, structs.replace(REQUESTS, id="more", tenant="other")]
    )
    (rest.folder / "deployment.toml").write_bytes(to_toml(more))
    before = (rest.folder / "sealed" / "a.txt.ticket").read_bytes()
    code, [line] = rest.seal(*change, files="in/a*")
    assert (code, line["error"]["code"]) == (1, "exists")
    assert (rest.folder / "sealed" / "a.txt.ticket").read_bytes() == before
    assert outcomes(rest.seal(*change, "--force", files="in/a*")) == (0, ["sealed"])
    assert (rest.folder / "sealed" / "a.txt.ticket").read_bytes() != before


def test_a_sealed_file_without_its_ticket_is_not_overwritten(rest: Rest) -> None:
    rest.seal(files="in/a*")
    (rest.folder / "sealed" / "a.txt.ticket").unlink()
    code, [line] = rest.seal(files="in/a*")
    assert (code, line["error"]["code"]) == (1, "exists")


def test_the_answer_to_another_request_is_not_overwritten(rest: Rest) -> None:
    rest.seal(files="in/a*")
    rest.submit()
    rest.seal("--force", files="in/a*")
    code, [line] = rest.submit()
    assert (code, line["error"]["code"]) == (1, "exists")
    assert outcomes(rest.submit("--force")) == (0, ["answered"])
    assert outcomes(rest.open()) == (0, ["opened"])


def test_a_ticket_whose_time_has_passed_is_not_kept(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`open` says of an expired request "seal it again": what then is kept would expire again."""
    rest.seal("--not-after=1h", files="in/a*")
    later_ns = time.time_ns() + 3_600_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later_ns)
    code, [line] = rest.seal(files="in/a*")
    assert (code, line["error"]["code"]) == (1, "expired")
    assert outcomes(rest.seal("--force", files="in/a*")) == (0, ["sealed"])
    assert outcomes(rest.seal(files="in/a*")) == (0, ["kept"])


def test_what_open_would_replace_is_kept(rest: Rest) -> None:
    rest.seal(files="in/a*")
    rest.submit()
    out, proofs = rest.folder / "out", rest.folder / "proofs"
    out.mkdir()
    (out / "a.txt.txt").write_text("mine")
    code, [line] = rest.open(f"--out={out}", f"--proofs={proofs}")
    assert (code, line["error"]["code"], (out / "a.txt.txt").read_text()) == (1, "exists", "mine")
    assert names(proofs) == []
    assert outcomes(rest.open(f"--out={out}", f"--proofs={proofs}", "--force")) == (0, ["opened"])
    assert (out / "a.txt.txt").read_text() == "".join(PIECES)
    assert outcomes(rest.open(f"--out={out}", f"--proofs={proofs}")) == (0, ["opened"])


def test_a_link_is_replaced_and_not_followed(rest: Rest) -> None:
    rest.seal(files="in/a*")
    rest.submit()
    out, target = rest.folder / "out", rest.folder / "elsewhere"
    out.mkdir()
    target.write_text("mine")
    (out / "a.txt.txt").symlink_to(target)
    assert rest.open(f"--out={out}")[0] == 1
    assert outcomes(rest.open(f"--out={out}", "--force")) == (0, ["opened"])
    assert (target.read_text(), (out / "a.txt.txt").is_symlink()) == ("mine", False)


def test_one_run_at_a_time_seals_into_a_folder(rest: Rest) -> None:
    """Two would replace each other's tickets: the sealed file of one, and the ticket of the other, open nothing."""
    rest.seal(files="in/a*")
    with alone_in(rest.folder / "sealed"), pytest.raises(FolderInUse, match="no other run"):
        rest.seal()
    assert outcomes(rest.seal()) == (0, ["kept", "sealed", "sealed"])


def test_a_kms_that_refuses_is_asked_once(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def refuse(arn: str, *_: object) -> tuple[bytes, bytes]:
        calls.append(arn)
        raise CommandFailed("kms", "GenerateDataKey: AccessDeniedException")

    rest.seal(files="in/a*")
    monkeypatch.setattr(seal_command, "generate_data_key", refuse)
    code, lines = rest.seal()
    assert (code, [line["outcome"] for line in lines], len(calls)) == (1, ["kept", "failed", "failed"], 1)
    assert {line["error"]["code"] for line in lines[1:]} == {"kms"}
