"""The manifests that docs/packages.md shows are manifests, and its tables name the fields that there are."""

import re
import tomllib

from msgspec import Struct, structs

from strongroom.documents import to_toml
from strongroom.protocol.catalogue import (
    ChatSettings,
    ClassifySettings,
    EmbedSettings,
    InferSettings,
    ModelManifest,
    TagSettings,
)
from strongroom.protocol.payloads import MAX_SPANS
from tests.docs.test_examples import ROOT, blocks

PAGE = ROOT / "docs" / "packages.md"


def test_the_manifest_shown_is_one_and_so_it_is_with_the_settings_shown() -> None:
    whole, tag = blocks(PAGE, "toml")
    manifest = ModelManifest.from_bytes(whole.encode())
    assert manifest.classify is not None
    settings = TagSettings(**tomllib.loads(tag)["tag"])
    tagger = structs.replace(manifest, task="tag", classify=None, tag=settings)
    assert ModelManifest.from_bytes(to_toml(tagger)) == tagger


def test_the_tables_name_all_fields_of_the_settings() -> None:
    text = PAGE.read_text()
    pages: dict[str, type[Struct]] = {
        "embed": EmbedSettings,
        "classify": ClassifySettings,
        "tag": TagSettings,
        "chat": ChatSettings,
        "infer": InferSettings,
    }
    for name, settings in pages.items():
        section = re.split(r"\n##+ ", text.partition(f"# `[{name}]`")[2])[0]
        rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        assert re.findall(r"`(\w+)`", " ".join(rows)) == [field.name for field in structs.fields(settings)], name


def test_the_page_says_how_many_spans_an_answer_holds() -> None:
    assert f"At most {MAX_SPANS:,} spans" in PAGE.read_text()
