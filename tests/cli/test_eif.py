"""`strongroom eif`: nitro-cli's description without nitro-cli, and measurements that a policy file takes."""

import json
import os
from dataclasses import replace
from pathlib import Path
from ssl import DER_cert_to_PEM_cert, PEM_cert_to_DER_cert

import pytest

from attestation.errors import PolicyError
from attestation.measurements import parent_role_pcr3
from attestation.policy_file import load_measurements, load_policy
from tests.attestation.eif.builder import (
    BEFORE_METADATA,
    IDENTITY,
    PCR0,
    SECTIONS,
    Image,
    certificate,
    envelope,
    key,
    metadata,
    payload,
    signature,
)
from tests.cli.running import failed, invoked, strongroom

ROLE = "arn:aws:iam::111122223333:role/strongroom-parent"
FOREIGN = signature(cose=envelope(signed=payload(bytes(48))))


def write(folder: Path, image: Image) -> Path:
    path = folder / "x.eif"
    path.write_bytes(image.to_bytes())
    return path


def test_without_a_role_the_entry_waits_for_one(tmp_path: Path) -> None:
    file = write(tmp_path, Image())
    done = invoked("eif", "measure", file)
    with pytest.raises(PolicyError, match="any_parent_role"):
        load_policy(done.stdout)
    load_policy(done.stdout + f'parent_role = "{ROLE}"\n'.encode())
    assert list(json.loads(invoked("eif", "measure", file, "--json").stdout)) == ["pcr0", "pcr1", "pcr2"]


def test_the_description_is_one_json_line(tmp_path: Path) -> None:
    done = strongroom("eif", "describe", write(tmp_path, Image().with_sections(signature())), "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    [line] = done.stdout.splitlines()
    description = json.loads(line)
    assert list(description)[:3] == ["EifVersion", "Measurements", "IsSigned"]
    assert (description["CheckCRC"], description["SignatureCheck"]) == (True, True)


def test_the_table_says_what_differs(tmp_path: Path) -> None:
    done = invoked("eif", "describe", write(tmp_path, replace(Image().with_sections(FOREIGN), crc32=0)))
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "DIFFERS" in text
    assert "DOES NOT HOLD" in text
    assert PCR0.hex() in text


def test_the_table_says_that_nothing_is_measured(tmp_path: Path) -> None:
    done = invoked("eif", "describe", write(tmp_path, Image(SECTIONS[:4])))
    assert b"measures no application" in done.stdout


def test_metadata_cannot_command_a_terminal(tmp_path: Path) -> None:
    image = Image((*BEFORE_METADATA, metadata({**IDENTITY, "ImageName": "\x1b[2Jx\n\u202e"})))
    done = invoked("eif", "describe", write(tmp_path, image))
    assert done.returncode == 0
    assert rb"\x1b[2Jx\n\u202e 1.4.0" in done.stdout


def test_an_entry_that_a_policy_file_takes(tmp_path: Path) -> None:
    file = write(tmp_path, Image().with_sections(signature()))
    done = invoked("eif", "measure", file, "--name", "release 1.4.0", "--role", ROLE)
    assert (done.returncode, done.stderr) == (0, b"")
    [measurements] = load_measurements(done.stdout)
    assert measurements.name == "release 1.4.0"
    assert list(measurements.pcrs) == [0, 1, 2, 3, 8]
    assert (measurements.pcrs[0], measurements.pcrs[3]) == (PCR0, parent_role_pcr3(ROLE))
    load_policy(done.stdout + invoked("eif", "measure", file, "--any-parent-role").stdout)


def test_the_entry_as_json(tmp_path: Path) -> None:
    done = invoked("eif", "measure", write(tmp_path, Image()), "--any-parent-role", "--json")
    [line] = done.stdout.splitlines()
    entry = json.loads(line)
    assert list(entry) == ["pcr0", "pcr1", "pcr2", "any_parent_role"]
    assert (entry["pcr0"], entry["any_parent_role"]) == (PCR0.hex(), True)


@pytest.mark.parametrize(
    ("image", "code", "words"),
    [
        (Image(crc32=0), "crc", "the file is damaged"),
        (Image().with_sections(FOREIGN), "signature", "does not hold"),
        (Image(tail=b"x"), "malformed-eif", "expected the end of the file, got 1 more bytes"),
    ],
)
def test_what_is_not_sound_is_not_measured(image: Image, code: str, words: str, tmp_path: Path) -> None:
    done = invoked("eif", "measure", write(tmp_path, image), "--role", ROLE, "--json")
    assert words in failed(done, 1)
    assert json.loads(done.stdout)["error"]["code"] == code


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        (Image(), ("--role", ROLE, "--any-parent-role"), "--role ARN"),
        (Image(), ("--role", "parent"), "an IAM role's ARN"),
        (Image(), ("--role", ROLE, "--name", "!"), "expected a name"),
        (Image(SECTIONS[:4]), ("--role", ROLE), "that measures an application"),
    ],
)
def test_no_entry_without_what_a_policy_needs(
    image: Image, options: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    done = invoked("eif", "measure", write(tmp_path, image), *options)
    assert words in failed(done)
    assert done.stdout == b""


def test_a_hostile_certificate_is_told_in_one_line(tmp_path: Path) -> None:
    """The library that parses it warns of such serial numbers, with our paths."""
    der = PEM_cert_to_DER_cert(certificate(key("ES384")).decode()).replace(b"\x02\x01\x07", b"\x02\x01\x00", 1)
    image = Image().with_sections(signature(pem=DER_cert_to_PEM_cert(der).encode()))
    assert "a positive serial number" in failed(strongroom("eif", "describe", write(tmp_path, image)), 1)


@pytest.mark.parametrize("command", [("describe",), ("measure", "--any-parent-role")])
def test_what_is_no_eif(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"")
    assert "expected 548 more bytes, got the end of the file" in failed(invoked("eif", *command, file), 1)


@pytest.mark.parametrize("command", [("describe",), ("measure", "--any-parent-role")])
def test_what_cannot_be_read(command: tuple[str, ...], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "does not exist" in failed(invoked("eif", *command, tmp_path / "none"))
    assert "is a directory" in failed(invoked("eif", *command, tmp_path))
    for special in (pipe, Path("/dev/zero")):
        assert "expected a regular file" in failed(invoked("eif", *command, special))


def test_a_bar_on_a_terminal_and_nothing_else_on_standard_output(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    file = write(tmp_path, Image())
    done = strongroom("eif", "describe", file, "--json", stderr=theirs, env={"TERM": "xterm"})
    os.close(theirs)
    assert "IsSigned" in json.loads(done.stdout)
    assert b"\x1b[" in os.read(ours, 4096)
    os.close(ours)
