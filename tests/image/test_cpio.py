"""The archive's bytes against the format's definition, its sameness, and what it refuses."""

import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.image import cpio
from strongroom.image.cpio_reading import Found, read
from strongroom.image.errors import InputRefused
from strongroom.image.tree import entries_of


def written(entries: Sequence[cpio.Entry]) -> bytes:
    out = io.BytesIO()
    cpio.write(entries, out)
    return out.getvalue()


def found(data: bytes, folder: Path) -> list[Found]:
    path = folder / "archive"
    path.write_bytes(data)
    return list(read(path))


def header(*fields: int) -> bytes:
    return b"070701" + b"".join(f"{field:08X}".lower().encode() for field in fields)


def test_the_bytes_are_those_of_the_formats_definition() -> None:
    entries = [cpio.symlink("z", "d/f"), cpio.regular("d/f", b"hello", executable=True), cpio.directory("d")]
    expected = [
        header(1, 0o040755, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0) + b"d\0",  # 112 bytes
        header(2, 0o100755, 0, 0, 1, 0, 5, 0, 0, 0, 0, 4, 0) + b"d/f\0\0\0" + b"hello\0\0\0",
        header(3, 0o120777, 0, 0, 1, 0, 3, 0, 0, 0, 0, 2, 0) + b"z\0" + b"d/f\0",
        header(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0) + b"TRAILER!!!\0\0\0\0",
    ]
    assert written(entries) == b"".join(expected)


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..", "TRAILER!!!")
)


@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=8), st.randoms())
def test_whatever_goes_in_comes_out_in_one_order_and_aligned(contents: dict[str, bytes], random: object) -> None:
    entries = [cpio.regular(name, content) for name, content in contents.items()]
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    data = written(entries)
    assert data == written(shuffled)
    assert len(data) % 4 == 0
    offset, names = 0, []
    while True:
        size, name_bytes = int(data[offset + 54 : offset + 62], 16), int(data[offset + 94 : offset + 102], 16)
        name = data[offset + 110 : offset + 110 + name_bytes - 1].decode()
        at = offset + 110 + name_bytes
        at += -at % 4
        if name == "TRAILER!!!":
            break
        assert data[at : at + size] == contents[name]
        names.append(name)
        offset = at + size + -(at + size) % 4
    assert names == sorted(contents, key=os.fsencode)


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", ".", "./a", "..", "../a", "d/../a", "a\0b", "n" * 4096])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(InputRefused, match="expected a relative name"):
        written([cpio.directory("d"), cpio.regular(name, b"")])


@pytest.mark.parametrize("name", ["a", "TRAILER!!!"])
def test_a_name_given_twice_or_the_trailers_is_refused(name: str) -> None:
    with pytest.raises(InputRefused, match="once"):
        written([cpio.regular("a", b"1"), cpio.regular(name, b"2")])


@pytest.mark.parametrize(
    "above", [[], [cpio.regular("d", b"")], [cpio.symlink("d", "/")]], ids=["none", "file", "link"]
)
def test_a_file_needs_a_folder_above_it(above: list[cpio.Entry]) -> None:
    with pytest.raises(InputRefused, match="expected a folder above 'd/f'"):
        written([*above, cpio.regular("d/f", b"")])


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")

    class Growing(io.BytesIO):
        def write(self, data: object, /) -> int:
            with path.open("ab") as file:
                file.write(b"6")
            return super().write(data)  # type: ignore[arg-type]

    with pytest.raises(InputRefused, match="it changed meanwhile"):
        cpio.write([cpio.regular("f", path)], Growing())


def tree(folder: Path, umask: int) -> Path:
    """The same files, made by somebody with another umask, at another time, in another order."""
    before = os.umask(umask)
    try:
        folder.mkdir()
        names = ["b", "a", "c"] if umask else ["a", "b", "c"]
        for name in names:
            (folder / name).mkdir()
            (folder / name / "run").write_text(f"#!{name}")
            (folder / name / "run").chmod(0o755 & ~umask)
            (folder / name / "text").write_text(name)
            os.utime(folder / name / "text", (umask, umask))
    finally:
        os.umask(before)
    (folder / "link").symlink_to("a/run")
    (folder / "a" / "again").hardlink_to(folder / "a" / "text")
    return folder


def test_one_tree_made_twice_gives_one_archive(tmp_path: Path) -> None:
    archives = [written(list(entries_of(tree(tmp_path / str(umask), umask), "root"))) for umask in (0, 0o77)]
    assert archives[0] == archives[1]
    fields = {each.name: each.fields for each in found(archives[0], tmp_path)}
    assert fields["root"][1] == stat.S_IFDIR | 0o755
    assert fields["root/a/run"][1] == stat.S_IFREG | 0o755
    assert fields["root/a/text"][1] == stat.S_IFREG | 0o644
    assert {each[2:4] for each in fields.values()} == {(0, 0)}  # root's
    assert {each[5] for each in fields.values()} == {0}  # no time


def test_hard_links_share_an_inode_and_the_first_has_the_content(tmp_path: Path) -> None:
    entries = {each.name: each for each in found(written(list(entries_of(tree(tmp_path / "t", 0), "r"))), tmp_path)}
    first, second = entries["r/a/again"].fields, entries["r/a/text"].fields
    assert first[0] == second[0]
    assert (first[4], second[4]) == (2, 2)
    assert (first[6], second[6]) == (1, 0)
    assert entries["r/a/run"].fields[4] == 1


def test_a_link_to_a_file_outside_the_tree_is_a_file_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_bytes(b"x")
    (root / "inside").hardlink_to(tmp_path / "outside")
    (entry,) = [each for each in found(written(list(entries_of(root, "r"))), tmp_path) if each.name == "r/inside"]
    assert (entry.fields[4], entry.fields[6]) == (1, 1)


def test_a_pipe_is_no_part_of_an_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputRefused, match="r/pipe: expected a file, a folder or a symbolic link"):
        list(entries_of(tmp_path, "r"))


GOOD = written([cpio.regular("a", b"content")])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected an entry at 0"),
        (GOOD[:100], "expected an entry at 0"),
        (b"070702" + GOOD[6:], "expected an entry at 0"),
        (GOOD[:14] + b"zz" + GOOD[16:], "expected hexadecimal fields at 0"),
        (GOOD[:94] + b"00000001" + GOOD[102:], "expected a name of 2 to 4096 bytes"),
        (GOOD[:94] + b"ffffffff" + GOOD[102:], "expected a name of 2 to 4096 bytes"),
        (GOOD[:54] + b"ffffffff" + GOOD[62:], "got the end"),
        (GOOD[:120], "expected an entry at 120"),
    ],
    ids=["empty", "short", "magic", "digits", "no name", "long name", "long content", "no trailer"],
)
def test_a_broken_archive_is_told_with_its_offset(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=message):
        found(data, tmp_path)
