"""The builder: byte for byte the format, for every count and size, and nothing at all where something is wrong."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.eif.errors import EIFError, UnsoundEIF
from attestation.eif.layout import ARCHITECTURES, MAX_FILE_BYTES, Header, SectionType, place
from attestation.eif.measurements import Sink
from attestation.eif.metadata import Metadata
from attestation.eif.reader import EIF
from strongroom.image import writer
from strongroom.image.draft import require_folder
from strongroom.image.eif import MAX_CMDLINE_BYTES, build_eif
from strongroom.image.errors import InputRefused, WrittenOtherwise
from strongroom.image.parts import Part
from strongroom.image.writer import write_eif
from tests.attestation.eif.builder import CMDLINE, KERNEL, METADATA, RAMDISK, Image, Section, pcr
from tests.corpus import corpus
from tests.image import images
from tests.image.images import read, sources

LINE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)
DATA = st.binary(min_size=1, max_size=300)
U64 = st.integers(0, (1 << 64) - 1)


def test_the_vector(tmp_path: Path) -> None:
    build_eif(tmp_path / "x.eif", sources(tmp_path))
    assert (tmp_path / "x.eif").read_bytes() == (corpus("eif") / "vector.eif").read_bytes()


@given(DATA, LINE, st.lists(DATA, min_size=1, max_size=29), st.sampled_from(ARCHITECTURES))
def test_every_count_and_size_reads_back(kernel: bytes, line: str, ramdisks: list[bytes], architecture: str) -> None:
    cmdline = line.encode()
    with TemporaryDirectory() as folder:
        output = Path(folder) / "x.eif"
        written = build_eif(output, sources(Path(folder), ramdisks, kernel, f" {line}\n", architecture))
        assert read(output) == written
        data = output.read_bytes()
    # What another builder, written to the format's description, makes of the same.
    sections = [Section(KERNEL, kernel), Section(CMDLINE, cmdline), Section(METADATA, images.METADATA.to_bytes())]
    sections += [Section(RAMDISK, ramdisk) for ramdisk in ramdisks]
    assert data == Image(sections, flags=int(architecture == "aarch64")).to_bytes()
    assert (written.architecture, written.crc_matches, written.signature) == (architecture, True, None)
    assert written.pcrs == {
        0: pcr(kernel, cmdline, *ramdisks),
        1: pcr(kernel, cmdline, ramdisks[0]),
        2: pcr(*ramdisks[1:]),
    }


@given(st.permutations([SectionType.CMDLINE, SectionType.METADATA, SectionType.RAMDISK, SectionType.RAMDISK]))
def test_any_order_behind_the_kernel_reads_back(order: list[SectionType]) -> None:
    parts = [Part.of_bytes(SectionType.KERNEL, b"k")]
    for number, section in enumerate(order):
        data = images.METADATA.to_bytes() if section is SectionType.METADATA else bytes([number])
        parts.append(Part.of_bytes(section, data))
    with TemporaryDirectory() as folder:
        output = Path(folder) / "x.eif"
        written = write_eif(output, Header(4, "x86_64", (), 0), parts)
        assert read(output) == written
    assert written.sections == (SectionType.KERNEL, *order)


@given(U64, U64, st.lists(st.integers(0, MAX_FILE_BYTES // 33), min_size=2, max_size=32))
def test_headers_read_back(memory_bytes: int, cpus: int, sizes: list[int]) -> None:
    header = Header(4, "aarch64", place(sizes), 7, memory_bytes, cpus)
    end = header.slots[-1].data_offset + header.slots[-1].data_bytes
    assert Header.from_bytes(header.to_bytes(), end) == header


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        build_eif(tmp_path / name / "x.eif", sources(tmp_path / name))
    assert (tmp_path / "one" / "x.eif").read_bytes() == (tmp_path / "other" / "x.eif").read_bytes()


@pytest.mark.parametrize(
    ("cmdline", "words"),
    [
        ("", "printable ASCII"),
        (" \n", "printable ASCII"),
        ("a\nb", "printable ASCII"),
        ("a\0b", "printable ASCII"),
        ("a\x1b", "printable ASCII"),
        ("naïve", "printable ASCII"),
        ("x" * (MAX_CMDLINE_BYTES + 1), "at most 2047 bytes, got 2048"),
    ],
    ids=["empty", "blank", "two lines", "NUL", "escape", "not ASCII", "long"],
)
def test_a_cmdline_that_linux_would_not_take(cmdline: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=words):
        build_eif(tmp_path / "x.eif", sources(tmp_path, cmdline=cmdline))
    assert not (tmp_path / "x.eif").exists()


def test_the_longest_cmdline(tmp_path: Path) -> None:
    build_eif(tmp_path / "x.eif", sources(tmp_path, cmdline="x" * MAX_CMDLINE_BYTES))
    assert read(tmp_path / "x.eif").header.slots[1].data_bytes == 2047


def test_empty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=r"kernel: .*empty"):
        build_eif(tmp_path / "x.eif", sources(tmp_path, kernel=b""))
    with pytest.raises(InputRefused, match=r"ramdisk: .*empty"):
        build_eif(tmp_path / "x.eif", sources(tmp_path, [b"0", b""]))


@pytest.mark.parametrize(("count", "words"), [(0, "a ramdisk, got the end"), (30, "2 to 32 sections, got 33")])
def test_counts_that_the_format_has_not(count: int, words: str, tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(EIFError, match=words):
        build_eif(tmp_path / "x.eif", sources(tmp_path, [b"x"] * count), progress=lambda done, _: seen.append(done))
    assert not (tmp_path / "x.eif").exists()
    assert seen == []  # before a byte is written


def test_metadata_beyond_the_reader_s_limit(tmp_path: Path) -> None:
    metadata = Metadata("x" * 131072, "", images.METADATA.build_metadata, None, None)
    with pytest.raises(EIFError, match="at most 131072 bytes of metadata"):
        build_eif(tmp_path / "x.eif", replace(sources(tmp_path), metadata=metadata))


def test_what_was_there_stays_when_something_is_wrong(tmp_path: Path) -> None:
    output = tmp_path / "x.eif"
    output.write_bytes(b"older")
    inputs = sources(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        build_eif(output, replace(inputs, ramdisks=[*inputs.ramdisks, tmp_path / "none"]))
    assert output.read_bytes() == b"older"
    assert set(tmp_path.iterdir()) == before


def test_what_is_replaced_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    (tmp_path / "real.eif").write_bytes(b"older")
    (tmp_path / "real.eif").chmod(0o640)
    (tmp_path / "x.eif").symlink_to("real.eif")
    build_eif(tmp_path / "x.eif", sources(tmp_path))
    assert (tmp_path / "x.eif").is_symlink()
    assert (tmp_path / "real.eif").stat().st_mode & 0o777 == 0o640
    assert read(tmp_path / "real.eif").crc_matches


class Shrinking(Part):
    """A file that is cut between its size and its bytes."""

    def feed(self, *sinks: Sink) -> None:
        os.truncate(self.stream.fileno(), 2)
        super().feed(*sinks)


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"12345")
    with (tmp_path / "r").open("r+b") as stream, pytest.raises(InputRefused, match="3 more bytes, got the end"):
        Shrinking.of_file(SectionType.RAMDISK, stream).feed()


@pytest.mark.parametrize(
    ("at", "error"), [(8, UnsoundEIF), (-1, UnsoundEIF), (0, EIFError)], ids=["header", "data", "magic"]
)
def test_a_disk_that_gives_other_bytes_back(
    at: int, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere:
        @staticmethod
        def from_stream(stream: object, progress: object) -> EIF:
            [draft] = tmp_path.glob(".x.eif.*")
            data = bytearray(draft.read_bytes())
            data[at] ^= 1
            draft.write_bytes(data)
            return read(draft)

    inputs = sources(tmp_path)
    monkeypatch.setattr(writer, "EIF", Elsewhere)
    with pytest.raises(error):
        build_eif(tmp_path / "x.eif", inputs)
    assert list(tmp_path.glob("*x.eif*")) == []


@pytest.mark.parametrize("change", ["sections", "header", "pcrs"])
def test_a_sound_image_that_is_another_one(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = sources(tmp_path)
    image = build_eif(tmp_path / "other.eif", inputs)
    others = {
        "sections": replace(image, sections=tuple(reversed(image.sections))),
        "header": replace(image, header=replace(image.header, default_cpus=3)),
        "pcrs": replace(image, pcrs={**image.pcrs, 2: bytes(48)}),
    }

    class Elsewhere:
        @staticmethod
        def from_stream(stream: object, progress: object) -> EIF:
            return others[change]

    monkeypatch.setattr(writer, "EIF", Elsewhere)
    with pytest.raises(WrittenOtherwise, match="PCR2" if change == "pcrs" else "header"):
        build_eif(tmp_path / "x.eif", inputs)
    assert list(tmp_path.glob("*x.eif*")) == []


class Growing(Part):
    """A copy that is still under way."""

    def feed(self, *sinks: Sink) -> None:
        os.truncate(self.stream.fileno(), 9)
        super().feed(*sinks)


def test_a_file_that_grows_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"12345")
    with (tmp_path / "r").open("r+b") as stream, pytest.raises(InputRefused, match="changed meanwhile"):
        Growing.of_file(SectionType.RAMDISK, stream).feed()


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    inputs, pipe = sources(tmp_path), tmp_path / "x.eif"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    before = set(tmp_path.iterdir())
    for output in (pipe, tmp_path / "link"):
        with pytest.raises(OSError, match="expected a regular file or none") as caught:
            build_eif(output, inputs)
        assert caught.value.filename == str(output)
    assert pipe.is_fifo()
    assert set(tmp_path.iterdir()) == before


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    inputs = sources(tmp_path)
    (tmp_path / "x.eif").symlink_to("y.eif")
    (tmp_path / "y.eif").symlink_to("x.eif")
    with pytest.raises(OSError, match="symbolic links"):
        build_eif(tmp_path / "x.eif", inputs)
    with pytest.raises(OSError, match="symbolic links"):
        require_folder(tmp_path / "x.eif")


def test_too_many_are_told_before_they_are_opened(tmp_path: Path) -> None:
    inputs = sources(tmp_path)
    with pytest.raises(EIFError, match="2 to 32 sections, got 40003"):
        build_eif(tmp_path / "x.eif", replace(inputs, ramdisks=[inputs.ramdisks[0]] * 40_000))


def test_a_pipe_is_no_ramdisk() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as stream, open(writing, "wb"), pytest.raises(InputRefused, match="a pipe or a device"):
        Part.of_file(SectionType.RAMDISK, stream)


def test_memory_does_not_follow_the_ramdisk(tmp_path: Path) -> None:
    inputs = sources(tmp_path)
    os.truncate(inputs.ramdisks[1], 64 << 20)
    tracemalloc.start()
    try:
        build_eif(tmp_path / "x.eif", inputs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_progress_runs_to_the_end_of_each_pass(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    build_eif(tmp_path / "x.eif", sources(tmp_path), progress=lambda done, total: seen.append((done, total)))
    ends = [at for at, (done, total) in enumerate(seen) if done == total]
    assert len(ends) == 2
    assert ends[-1] == len(seen) - 1
