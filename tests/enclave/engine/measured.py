"""`python -m tests.enclave.engine.measured PACKAGE`: what the kernel counts while a model is loaded and evicted.

Of this process and of the one that it has for a tensor model. Their peaks come at different times, and are added.
"""

import asyncio
import json
import sys
from pathlib import Path

from enclave.engine.capacity import Capacity
from enclave.engine.engine import Engine
from enclave.engine.heap import trim
from enclave.engine.telemetry import import_onnxruntime
from strongroom.models.package import load_package


def counted_bytes(name: str, pid: int | str = "self") -> int:
    """One of the figures of a process: RssAnon, RssFile, or VmHWM since it was set back."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def children() -> list[int]:
    """Those of this process."""
    tasks = Path("/proc/self/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def main(package: Path) -> None:
    """Print, in bytes more than before: of the loaded model, at most meanwhile (its files too), after its eviction."""
    import_onnxruntime()
    trim()
    before, before_all = counted_bytes("RssAnon"), counted_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM counts from here
    engine = Engine(Capacity())
    _, manifest, paths = load_package(package)
    engine.load(manifest, {name: path.read_bytes() for name, path in paths.items()})
    trim()
    resident, peak = counted_bytes("RssAnon") - before, counted_bytes("VmHWM") - before_all
    for child in children():
        resident += counted_bytes("RssAnon", child)
        peak += counted_bytes("VmHWM", child) - counted_bytes("RssFile", child)
    asyncio.run(engine.evict(manifest.id))
    print(json.dumps({"resident": resident, "peak": peak, "left": counted_bytes("RssAnon") - before}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
