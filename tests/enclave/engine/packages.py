"""Model packages in memory, and what tests read from answers."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from strongroom.models.package import load_package
from strongroom.protocol.catalogue import ChatSettings, ModelManifest
from strongroom.protocol.payloads import Event, GenerationEnd, TextDelta


class Package(NamedTuple):
    """A manifest and the bytes of its files."""

    manifest: ModelManifest
    files: dict[str, bytes]

    @classmethod
    def from_directory(cls, directory: Path) -> "Package":
        _, manifest, paths = load_package(directory)
        return cls(manifest, {name: path.read_bytes() for name, path in paths.items()})

    @property
    def graph(self) -> bytes:
        return self.files[self.manifest.graph]

    @property
    def tokenizer(self) -> bytes:
        assert self.manifest.tokenizer is not None
        return self.files[self.manifest.tokenizer]

    @property
    def chat(self) -> ChatSettings:
        assert self.manifest.chat is not None
        return self.manifest.chat

    def with_chat(self, **changes: object) -> "Package":
        manifest = structs.replace(self.manifest, chat=structs.replace(self.chat, **changes))
        return self._replace(manifest=manifest)

    def with_file(self, name: str, data: bytes) -> "Package":
        return self._replace(files=self.files | {name: data})


def text_of(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end_of(events: list[Event]) -> GenerationEnd:
    assert isinstance(events[-1], GenerationEnd)
    return events[-1]


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]
