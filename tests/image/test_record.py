"""The record of packages: read strictly, written in one way, and held against the files."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from strongroom.image.errors import InputRefused
from strongroom.image.record import Package, Record, require
from strongroom.image.source import Source

ONE = Package("libc6", "2.41-12+deb13u4", "0" * 64, "libc6_2.41-12+deb13u4_amd64.deb")
TWO = Package("zlib1g", "1:1.3.dfsg+really1.3.1-1+b1", "1" * 64, "zlib1g_1%3a1.3.dfsg+really1.3.1-1+b1_amd64.deb")
KERNEL = Package("linux-image-6.12-cloud-amd64", "6.12-1", "2" * 64, "k.deb")
WHEEL = Package("cbor2", "6.2.1", "3" * 64, "cbor2-6.2.1-cp313-cp313-manylinux_2_28_x86_64.whl")


def test_it_reads_what_it_writes_whatever_the_order() -> None:
    data = Record((TWO, ONE, KERNEL), (WHEEL,)).to_bytes()
    assert data == Record((ONE, KERNEL, TWO), (WHEEL,)).to_bytes()
    assert Record.from_bytes(data) == Record((ONE, KERNEL, TWO), (WHEEL,))


def test_the_source_is_kept_and_may_be_unknown() -> None:
    for source in (Source("a" * 40, ("enclave/x.py",)), Source("b" * 64), None):
        assert Record.from_bytes(Record((KERNEL,), (), source).to_bytes()).source == source
    assert Record.from_bytes(b'{"debian": [%s], "wheels": []}' % msgspec.json.encode(KERNEL)).source is None


GOOD = Record((ONE, KERNEL), ()).to_bytes().decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"debian": []}',
        GOOD[:-3],
        GOOD.replace('"wheels"', '"other"'),
        GOOD.replace('"name"', '"more": 1, "name"'),
        GOOD.replace("0" * 64, "0" * 63),
        GOOD.replace('"libc6_', '"../libc6_'),
        GOOD.replace('"libc6"', '"--option"'),
        GOOD.replace('"2.41-12', '"-o=2.41-12'),
        GOOD.replace('"libc6"', "1"),
        GOOD.replace('"libc6"', '"libc6\\n"'),
        GOOD.replace('amd64.deb"', 'amd64.deb\\n"'),
        GOOD.replace("null", '{"commit": "--upload-pack=x"}'),
        GOOD.replace("null", '{"commit": "%s", "changed": [1]}' % ("a" * 40)),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputRefused, match="record of packages: expected JSON"):
        Record.from_bytes(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InputRefused, match="record of packages"):
        Record.from_bytes(GOOD.encode().replace(b"libc6", b"\xff"))


@pytest.mark.parametrize("record", [Record((ONE, ONE, KERNEL), ()), Record((KERNEL,), (WHEEL, WHEEL))])
def test_a_package_that_is_named_twice_is_refused(record: Record) -> None:
    with pytest.raises(InputRefused, match=r"expected (libc6|cbor2) once, got it 2 times"):
        Record.from_bytes(record.to_bytes())


@pytest.mark.parametrize("debian", [(ONE,), (KERNEL, KERNEL)], ids=["none", "two"])
def test_there_is_exactly_one_kernel(debian: tuple[Package, ...]) -> None:
    assert Record((ONE, KERNEL), ()).kernel == KERNEL
    with pytest.raises(InputRefused, match="expected one kernel"):
        _ = Record(debian, ()).kernel
    with pytest.raises(InputRefused, match="expected one kernel"):
        Record.from_bytes(Record(debian, ()).to_bytes())


def test_a_file_must_be_the_recorded_one(tmp_path: Path) -> None:
    package = Package("a", "1", hashlib.sha256(b"content").hexdigest(), "a.deb")
    with pytest.raises(InputRefused, match="got none"):
        require(tmp_path, package)
    (tmp_path / "a.deb").write_bytes(b"content")
    assert require(tmp_path, package) == tmp_path / "a.deb"
    (tmp_path / "a.deb").write_bytes(b"c0ntent")
    with pytest.raises(InputRefused, match="got another"):
        require(tmp_path, package)
