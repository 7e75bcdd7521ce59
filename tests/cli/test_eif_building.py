"""`strongroom eif build` and `eif sign`: nitro-cli's answer, the same bytes twice, one line for what is wrong."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strongroom.cli.eif_building import MAX_INSTANT_S
from tests.attestation.eif.builder import PCR0, Image, certificate, envelope, key, payload, pcr, signature
from tests.cli.running import failed, invoked, strongroom
from tests.image.signers import key_pem, write_pair


def sections(folder: Path) -> list[str | Path]:
    """The options of an image whose sections are those of the tests' builder, and where it goes."""
    for name in ("kernel", "ramdisk 0", "ramdisk 1"):
        (folder / name).write_bytes(name.encode())
    inputs: list[str | Path] = ["--kernel", folder / "kernel", "--cmdline", "console=ttyS0"]
    for name in ("ramdisk 0", "ramdisk 1"):
        inputs += ["--ramdisk", folder / name]
    return [*inputs, "--output", folder / "x.eif"]


def signing(folder: Path) -> list[str | Path]:
    pem, private_key = write_pair(folder)
    return ["--signing-certificate", pem, "--private-key", private_key]


def test_the_answer_is_nitro_cli_s(tmp_path: Path) -> None:
    done = strongroom("eif", "build", *sections(tmp_path), *signing(tmp_path), "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    [line] = done.stdout.splitlines()
    measured = json.loads(line)["Measurements"]
    assert list(measured) == ["HashAlgorithm", "PCR0", "PCR1", "PCR2", "PCR8"]
    assert (measured["HashAlgorithm"], measured["PCR0"]) == ("Sha384 { ... }", PCR0.hex())
    description = json.loads(strongroom("eif", "describe", tmp_path / "x.eif", "--json").stdout)
    assert description["Measurements"] == measured
    assert (description["CheckCRC"], description["SignatureCheck"]) == (True, True)


def test_the_table(tmp_path: Path) -> None:
    done = invoked("eif", "build", *sections(tmp_path))
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert "version 4, x86_64" in text
    assert PCR0.hex() in text
    assert "PCR8" not in text


def test_the_same_bytes_under_one_source_date_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, options = set(), [*sections(tmp_path), *signing(tmp_path)]
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    for more in (["--source-date-epoch", "86400"], []):
        assert invoked("eif", "build", *options, *more).returncode == 0
        written.add((tmp_path / "x.eif").read_bytes())
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert len(written) == 1
    description = json.loads(invoked("eif", "describe", tmp_path / "x.eif", "--json").stdout)
    assert description["Metadata"]["BuildTime"] == "1970-01-02T00:00:00+00:00"


def test_what_is_not_measured_is_written_all_the_same(tmp_path: Path) -> None:
    options = ["--name", "röm", "--version", "1.4.0", "--kernel-version", "6.12", "--arch", "arm64"]
    assert invoked("eif", "build", *sections(tmp_path), *options).returncode == 0
    done = invoked("eif", "describe", tmp_path / "x.eif", "--json")
    description = json.loads(done.stdout)
    assert (description["ImageName"], description["ImageVersion"]) == ("röm", "1.4.0")
    assert description["Metadata"]["KernelVersion"] == "6.12"
    assert description["Measurements"]["PCR0"] == PCR0.hex()
    assert b"aarch64" in invoked("eif", "describe", tmp_path / "x.eif").stdout


def test_signing_in_place_and_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "x.eif"
    file.write_bytes(Image().to_bytes())
    options = signing(tmp_path)
    done = invoked("eif", "sign", file, *options, "--output", tmp_path / "y.eif", "--json")
    assert list(json.loads(done.stdout)["Measurements"])[-1] == "PCR8"
    assert file.read_bytes() == Image().to_bytes()
    assert b"holds" in invoked("eif", "sign", file, *options).stdout
    assert file.read_bytes() == (tmp_path / "y.eif").read_bytes() == Image().with_sections(signature()).to_bytes()


@pytest.mark.parametrize(
    ("image", "code", "words"),
    [
        (Image(crc32=0), "crc", "the file is damaged"),
        (Image().with_sections(signature(cose=envelope(signed=payload(bytes(48))))), "signature", "does not hold"),
        (Image(tail=b"x"), "malformed-eif", "expected the end of the file, got 1 more bytes"),
    ],
    ids=["crc", "signature", "structure"],
)
def test_what_is_not_sound_is_not_signed(image: Image, code: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "x.eif"
    file.write_bytes(image.to_bytes())
    done = invoked("eif", "sign", file, *signing(tmp_path), "--json")
    assert words in failed(done, 1)
    assert json.loads(done.stdout)["error"]["code"] == code
    assert file.read_bytes() == image.to_bytes()


def test_keys_that_nothing_is_signed_with(tmp_path: Path) -> None:
    options = signing(tmp_path)
    (tmp_path / "signer-key.pem").write_bytes(key_pem(key("ES384"), b"secret"))
    done = invoked("eif", "build", *sections(tmp_path), *options, "--json")
    assert "openssl pkey" in failed(done, 1)
    assert json.loads(done.stdout)["error"]["code"] == "signing"
    (tmp_path / "signer-key.pem").write_bytes(key_pem(key("ES256")))
    assert "the certificate's" in failed(invoked("eif", "build", *sections(tmp_path), *options), 1)
    assert not (tmp_path / "x.eif").exists()
    for option in ("--signing-certificate", "--private-key"):
        done = invoked("eif", "build", *sections(tmp_path), option, tmp_path / "signer.pem")
        assert "or neither" in failed(done)
    (tmp_path / "signer.pem").write_bytes(certificate(key("ES384")) + b"\n" * 16384)
    assert "at most 16384 bytes" in failed(invoked("eif", "build", *sections(tmp_path), *options))


@pytest.mark.parametrize("seconds", ["-1", str(MAX_INSTANT_S + 1), "now", ""])
def test_an_epoch_that_is_none(seconds: str, tmp_path: Path) -> None:
    done = invoked("eif", "build", *sections(tmp_path), f"--source-date-epoch={seconds}")
    assert "--source-date-epoch" in failed(done)


@pytest.mark.parametrize("option", ["--kernel", "--ramdisk"])
def test_what_is_no_file(option: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for special in (pipe, Path("/dev/zero")):
        done = invoked("eif", "build", *sections(tmp_path), option, special)
        assert "expected a regular file" in failed(done)
    assert "does not exist" in failed(invoked("eif", "build", *sections(tmp_path), option, tmp_path / "none"))
    assert not (tmp_path / "x.eif").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    done = invoked("eif", "build", *sections(tmp_path), "--output", tmp_path / "none" / "x.eif")
    assert "No such file or directory" in failed(done)
    assert "is a directory" in failed(invoked("eif", "build", *sections(tmp_path), "--output", tmp_path))
    done = invoked("eif", "build", *sections(tmp_path), "--cmdline", "a\nb")
    assert "printable ASCII" in failed(done, 1)


def test_no_input_is_lost_to_the_output(tmp_path: Path) -> None:
    options = [*sections(tmp_path), *signing(tmp_path)]
    (tmp_path / "link").symlink_to("signer-key.pem")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("kernel", "ramdisk 1", "signer.pem", "signer-key.pem", "link"):
        done = invoked("eif", "build", *options, "--output", tmp_path / name)
        assert "which is an input and would be replaced" in failed(done)
    done = invoked("eif", "sign", tmp_path / "kernel", *signing(tmp_path), "--output", tmp_path / "signer-key.pem")
    assert "which is an input and would be replaced" in failed(done)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    options = sections(tmp_path)
    (tmp_path / "ramdisk 1").write_bytes(bytes(4 << 20))
    limit = (1 << 20, 1 << 20)
    done = strongroom("eif", "build", *options, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert failed(done) == f"error: {tmp_path / 'x.eif'}: File too large"
    assert not list(tmp_path.glob("*x.eif*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_of_a_build_that_is_ended(number: signal.Signals, tmp_path: Path) -> None:
    options = sections(tmp_path)
    os.truncate(tmp_path / "ramdisk 1", 2 << 30)
    command = [sys.executable, "-m", "strongroom", "eif", "build", *map(str, options)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob(".x.eif.*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert not list(tmp_path.glob("*x.eif*"))


def test_the_cmdline_is_stripped(tmp_path: Path) -> None:
    done = invoked("eif", "build", *sections(tmp_path), "--cmdline", " console=ttyS0\n", "--json")
    assert json.loads(done.stdout)["Measurements"]["PCR1"] == pcr(b"kernel", b"console=ttyS0", b"ramdisk 0").hex()
