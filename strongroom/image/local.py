"""The local image: Dockerfile.enclave as an EIF, built from Debian's packages without docker and nitro-cli.

Packages are resolved or taken from a record; all later steps see those and nothing else. Then a base, the application,
the first process, the kernel and its modules; last the EIF, measured.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from strongroom.image import wheels
from strongroom.image.containers import Builder, BuiltImage
from strongroom.image.debian import Apt, control_of, write_repository
from strongroom.image.errors import InputRefused
from strongroom.image.folders import Folders, leave_log
from strongroom.image.inspection import require_clean
from strongroom.image.kernel_modules import KernelModules
from strongroom.image.programs import Programs
from strongroom.image.ramdisk import write_application
from strongroom.image.record import Package, Record, require
from strongroom.image.sizes import Size, sizes
from strongroom.image.source import source_of

MODULES: Final = ("virtio_mmio", "vmw_vsock_virtio_transport", "nsm")
"""Of the kernel's thousands; what they need comes with them."""
_BUILD_PACKAGES: Final = ("?essential", "apt", "python3-pip", "gcc", "libc6-dev")
"""All that both Dockerfiles install or unpack is among these and what they need."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LocalImage:
    """What was built."""

    pcrs: Mapping[int, bytes]
    eif_bytes: int
    sizes: Mapping[str, Size]
    record: Record


def build(
    folders: Folders,
    record: Record | None = None,
    *,
    programs: Programs | None = None,
    say: Say = lambda _line: None,
) -> LocalImage:
    """Build the local image, from `record` where there is one. Raises ImageError, EIFError, OSError.

    `programs` runs the builders in its folder, which is `folders.work` if none is given.
    """
    require_checkout(folders.checkout)
    with folders.held():
        return build_held(folders, record, programs=programs, say=say)


def build_held(folders: Folders, record: Record | None, *, programs: Programs | None, say: Say) -> LocalImage:
    """As `build`, for a caller who holds the folders. However it ends, the gigabytes of the work are gone."""
    shutil.rmtree(folders.work, ignore_errors=True)
    folders.work.mkdir()
    try:
        image = _build(folders, record, programs, say)
    except BaseException:
        leave_log(folders.work)
        raise
    shutil.rmtree(folders.work)
    return image


def _build(folders: Folders, record: Record | None, programs: Programs | None, say: Say) -> LocalImage:
    own = Programs(folders.work)
    source = source_of(folders.checkout, say)
    record = replace(_packages(folders, record, own, say), source=source)
    builder = _builder(folders, record, programs or own, own)
    say("building the base")
    base = builder.make_base()
    say("building the application: Dockerfile.enclave")
    application = builder.build(folders.checkout / "Dockerfile.enclave", folders.checkout, base)
    require_clean(application.rootfs)
    say("building the first process: deploy/init")
    init_folder = folders.checkout / "deploy" / "init"
    init = builder.build(init_folder / "Dockerfile", init_folder, base)
    say("putting the image together")
    folders.eif.unlink(missing_ok=True)  # from now on the parts are others than its
    _keep_parts(folders, application, init)
    _keep_kernel(folders, record.kernel, own)
    eif = folders.parts.assemble(folders.eif, folders.parts.modules(), "strongroom-local")
    folders.record.write_bytes(record.to_bytes())
    return LocalImage(eif.pcrs, folders.eif.stat().st_size, sizes(application.rootfs), record)


def require_checkout(checkout: Path) -> None:
    """Raise InputRefused where no image can be built: it is made of source that an installed package does not bring."""
    if not (checkout / "Dockerfile.enclave").is_file():
        raise InputRefused(
            f"expected a checkout of Strongroom, with Dockerfile.enclave, as working folder, got {checkout}"
        )
    if os.geteuid() != 0:
        advice = "unshare --map-auto --map-root-user strongroom eif local"
        raise InputRefused(f"expected root, which may be that of a user namespace, got user {os.geteuid()}: {advice}")


def _packages(folders: Folders, record: Record | None, own: Programs, say: Say) -> Record:
    """Resolve today's packages, or get those of the record."""
    apt = Apt(folders.work / "apt", folders.debian, own)
    requirements = folders.checkout / "requirements" / "enclave.txt"
    if record is None:
        say("resolving Debian's packages and the wheels")
        apt.update()
        found = [*apt.with_dependencies(_BUILD_PACKAGES), apt.alone(apt.kernel())]
        record = Record(tuple(found), tuple(wheels.download(requirements, folders.wheels, own)))
    else:
        wheels.require_pinned(requirements, record.wheels)
        say(f"taking the packages of the record: {len(record.debian)} of Debian, {len(record.wheels)} wheels")
        apt.again(record.debian)
        wheels.again(requirements, folders.wheels, record.wheels, own)
    return record


def _builder(folders: Folders, record: Record, programs: Programs, own: Programs) -> Builder:
    packages, wheel_folder = programs.folder / "packages", programs.folder / "wheel-folder"
    debian = [package for package in record.debian if package != record.kernel]
    write_repository(packages, folders.debian, debian, own)
    wheels.write_folder(wheel_folder, folders.wheels, record.wheels)
    _open_to_readers(packages)
    _open_to_readers(wheel_folder)
    return Builder(programs, packages, wheel_folder)


def _open_to_readers(folder: Path) -> None:
    """Whoever runs the programs reads these, whatever the umask of who wrote them."""
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


def _keep_parts(folders: Folders, application: BuiltImage, init: BuiltImage) -> None:
    parts = folders.parts
    shutil.rmtree(parts.folder, ignore_errors=True)
    parts.folder.mkdir()
    shutil.copyfile(init.rootfs / "init", parts.init)
    with parts.application.open("wb") as file:
        write_application(file, application.rootfs, application.command, application.environment)


def _keep_kernel(folders: Folders, package: Package, own: Programs) -> None:
    tree = folders.work / "kernel"
    path = require(folders.debian, package)
    control_of(path, package, own)
    own.run("dpkg-deb", "--extract", path, tree)
    modules = next((tree / "usr" / "lib" / "modules").iterdir())
    shutil.copyfile(tree / "boot" / f"vmlinuz-{modules.name}", folders.parts.kernel)
    folders.parts.keep_modules(KernelModules(modules).in_order(MODULES), modules.name)
