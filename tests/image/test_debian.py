"""What is asked of apt, and the repository that a build sees; apt itself is played."""

import hashlib
from pathlib import Path

import pytest

from strongroom.image.debian import Apt, write_repository
from strongroom.image.errors import InputRefused
from strongroom.image.record import Package
from tests.image.fakes import Fakes

MIRROR = "http://mirror.example/debian"
PLAN = "Inst libc6 (2.41-12 Debian:13 [amd64])\nInst zlib1g (1:1.3+b1 Debian:13 [amd64])\nConf libc6 (2.41-12)"
SHOWN = "Package: linux-image-6.12-cloud-amd64\nVersion: 6.12-1\nArchitecture: amd64\nDescription: kernel\n text: more"


@pytest.fixture
def fakes(tmp_path: Path) -> Fakes:
    made = Fakes(tmp_path)
    made.add(
        "apt-get",
        f"""case "$*" in
        indextargets*) echo {MIRROR} ;;
        --simulate*) printf '{PLAN}\\n' ;;
        *download-only*) cd "{tmp_path}/archives" && : > libc6_2.41-12_amd64.deb && : > zlib1g_1%3a1.3+b1_amd64.deb ;;
        *download*) : > linux-image-6.12-cloud-amd64_6.12-1_amd64.deb ;;
        esac""",
    )
    made.add(
        "apt-cache",
        f"""case "$*" in
        depends*) printf 'linux-image-cloud-amd64\\n  Depends: linux-image-6.12-cloud-amd64\\n' ;;
        show*) printf '{SHOWN}\\n' ;;
        esac""",
    )
    return made


@pytest.fixture
def apt(fakes: Fakes, tmp_path: Path) -> Apt:
    made = Apt(tmp_path / "apt", tmp_path / "archives", fakes.programs())
    made.update()
    return made


def test_a_machine_without_a_mirror_of_debian_is_told(fakes: Fakes, tmp_path: Path) -> None:
    fakes.add("apt-get")
    with pytest.raises(InputRefused, match="expected a mirror of Debian in this machine's apt sources, got none"):
        Apt(tmp_path / "apt", tmp_path / "archives", fakes.programs()).update()


EMPTY = hashlib.sha256(b"").hexdigest()


def test_apt_has_folders_of_its_own_and_this_machines_mirror(apt: Apt, tmp_path: Path) -> None:
    sources = (tmp_path / "apt" / "sources.list").read_text()
    assert sources == f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {MIRROR} trixie main\n"
    settings = (tmp_path / "apt" / "apt.conf").read_text()
    assert f'Dir::State::Status "{tmp_path}/apt/status";' in settings
    assert f'Dir::Cache::Archives "{tmp_path}/archives";' in settings
    assert (tmp_path / "apt" / "status").read_bytes() == b""


def test_packages_come_with_all_that_they_need(apt: Apt, fakes: Fakes) -> None:
    found = apt.with_dependencies(["apt", "gcc"])
    assert found == [
        Package("libc6", "2.41-12", EMPTY, "libc6_2.41-12_amd64.deb"),
        Package("zlib1g", "1:1.3+b1", EMPTY, "zlib1g_1%3a1.3+b1_amd64.deb"),
    ]
    assert "apt-get --simulate install apt gcc" in fakes.calls()


def test_the_kernel_comes_alone(apt: Apt, fakes: Fakes) -> None:
    name = apt.kernel()
    assert apt.alone(name) == Package(name, "6.12-1", EMPTY, f"{name}_6.12-1_amd64.deb")
    assert fakes.calls()[-1] == f"apt-get --quiet download {name}=6.12-1"


def test_only_what_is_missing_of_a_record_is_downloaded(apt: Apt, fakes: Fakes, tmp_path: Path) -> None:
    kernel = Package("linux-image-6.12-cloud-amd64", "6.12-1", EMPTY, "linux-image-6.12-cloud-amd64_6.12-1_amd64.deb")
    (tmp_path / "archives" / "here.deb").write_bytes(b"here")
    here = Package("here", "1", hashlib.sha256(b"here").hexdigest(), "here.deb")
    before = len(fakes.calls())
    apt.again([here])
    assert len(fakes.calls()) == before
    apt.again([here, kernel])
    assert fakes.calls()[-1] == f"apt-get --quiet download {kernel.name}=6.12-1"


def test_a_package_that_the_mirror_has_no_more_is_told(apt: Apt) -> None:
    with pytest.raises(InputRefused, match=r"gone\.deb: expected the file with SHA-256 0{64}, got none"):
        apt.again([Package("gone", "1", "0" * 64, "gone.deb")])


def test_the_repository_holds_the_recorded_packages_and_their_digests(fakes: Fakes, tmp_path: Path) -> None:
    fakes.add("dpkg-deb", "printf 'Package: a\\nVersion: 1\\n'")
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "a.deb").write_bytes(b"abc")
    (tmp_path / "archives" / "stale.deb").write_bytes(b"")
    digest = hashlib.sha256(b"abc").hexdigest()
    folder = tmp_path / "repository"
    write_repository(folder, tmp_path / "archives", [Package("a", "1", digest, "a.deb")], fakes.programs())
    assert sorted(path.name for path in folder.iterdir()) == ["Packages", "a.deb"]
    expected = f"Package: a\nVersion: 1\nFilename: ./a.deb\nSize: 3\nSHA256: {digest}\n\n"
    assert (folder / "Packages").read_text() == expected


def test_a_package_that_was_swapped_in_the_cache_is_refused(fakes: Fakes, tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "a.deb").write_bytes(b"another")
    with pytest.raises(InputRefused, match="got another"):
        write_repository(tmp_path / "r", tmp_path / "archives", [Package("a", "1", EMPTY, "a.deb")], fakes.programs())


@pytest.mark.parametrize(("name", "version"), [("b", "1"), ("a", "2")])
def test_a_record_that_calls_a_package_something_else_is_refused(
    name: str, version: str, fakes: Fakes, tmp_path: Path
) -> None:
    fakes.add("dpkg-deb", "printf 'Package: a\\nVersion: 1\\n'")
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "a.deb").write_bytes(b"")
    package = Package(name, version, EMPTY, "a.deb")
    with pytest.raises(InputRefused, match=r"a\.deb: expected .* in it as recorded, got another package"):
        write_repository(tmp_path / "r", tmp_path / "archives", [package], fakes.programs())
