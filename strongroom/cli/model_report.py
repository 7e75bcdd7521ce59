"""A model package in words: what its manifest says, and what the enclave's scan says of its graph."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from strongroom.cli.failures import EXIT_FAILED
from strongroom.cli.output import print_json, print_table
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from strongroom.models.inspection import GraphReport
    from strongroom.models.signature import GraphPort
    from strongroom.protocol.catalogue import ModelManifest

_MAX_PORTS = 8
"""In the table; a decoder has two for each layer."""


@dataclass(frozen=True)
class ModelReport:
    """One model whose files were checked against its manifest. `probe` is None where nothing was run."""

    manifest: "ModelManifest"
    manifest_sha384: str
    graph: "GraphReport"
    probe: tuple[bool, str] | None = None

    @classmethod
    def of(cls, manifest: "ModelManifest", sha384: str, files: Mapping[str, bytes], *, run: bool) -> "ModelReport":
        """Scan the graph among the files, and with `run` let a child load and run it."""
        from strongroom.models.inspection import inspect_graph, try_graph

        graph = inspect_graph(manifest, files)
        return cls(manifest, sha384, graph, try_graph(manifest, files) if run and graph.rule is None else None)

    @property
    def exit_code(self) -> int:
        """0 unless the scan refuses the graph, or the probe's child did not survive it."""
        return EXIT_FAILED if self.graph.rule or (self.probe and not self.probe[0]) else 0

    def print(self, front: Mapping[str, object], as_json: bool) -> int:
        """One JSON line or a table, `front` before the rest; returns the exit code."""
        if as_json:
            print_json({**front, **self._to_json()})
        else:
            print_table((name, escaped(text)) for name, text in [*_words(front), *self._rows()])
        return self.exit_code

    def _to_json(self) -> dict[str, Any]:
        manifest, graph = self.manifest, self.graph
        named = {name: getattr(manifest, name) for name in ("id", "version", "task", "licence", "source")}
        seen = asdict(graph)
        scan = {"accepted": graph.rule is None, "rule": seen.pop("rule"), "message": seen.pop("refusal")}
        for side in ("inputs", "outputs"):
            seen[side] = [port._asdict() for port in getattr(graph, side)]
        files = [{"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256} for file in manifest.files]
        return {
            **named,
            "manifest_sha384": self.manifest_sha384,
            "files": files,
            "graph": {"file": manifest.graph, **seen},
            "scan": scan,
            "probe": None if self.probe is None else dict(zip(("survived", "outcome"), self.probe, strict=True)),
        }

    def _rows(self) -> Iterator[tuple[str, str]]:
        manifest = self.manifest
        yield "model", f"{manifest.id} {manifest.version} ({manifest.task}, {manifest.licence})"
        yield "source", manifest.source
        yield "manifest SHA-384", self.manifest_sha384
        for file in manifest.files:
            yield f"file {file.name}", f"{file.size_bytes} bytes, SHA-256 {file.sha256}"
        yield from _graph_rows(self.graph)
        if self.probe is not None:
            survived, outcome = self.probe
            yield "probe", f"survived: {outcome}" if survived else f"REFUSED: {outcome}"


def _words(front: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in front.items():
        yield name.replace("_", " "), str(value)


def _graph_rows(graph: "GraphReport") -> Iterator[tuple[str, str]]:
    if graph.rule is not None:
        yield "scan", f"REFUSED: {graph.refusal}"
        return
    yield "operator sets", _pairs(graph.operator_sets)
    yield "operators", _pairs(graph.operators)
    yield from _port_rows("input", graph.inputs)
    yield from _port_rows("output", graph.outputs)
    if graph.external:
        yield "external data", ", ".join(graph.external)
    yield "scan", "accepted"


def _port_rows(side: str, ports: "Iterable[GraphPort]") -> Iterator[tuple[str, str]]:
    listed = list(ports)
    for port in listed[:_MAX_PORTS]:
        sizes = "any shape" if port.shape is None else f"[{', '.join(_size(size) for size in port.shape)}]"
        yield side, f"{port.name}  {port.dtype} {sizes}"
    if (more := len(listed) - _MAX_PORTS) > 0:
        yield side, f"… and {more} more, which --json lists"


def _size(size: int | str | None) -> str:
    return "?" if size is None else str(size)


def _pairs(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.items())
