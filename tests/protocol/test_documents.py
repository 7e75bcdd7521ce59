"""Configuration, catalogue, manifest: strict, bounded, and what they refuse they name."""

import pytest
from msgspec import structs

from strongroom.documents import to_toml
from strongroom.protocol.catalogue import Catalogue, EmbedSettings, InferSettings, ModelManifest
from strongroom.protocol.configuration import DeploymentConfiguration
from strongroom.protocol.errors import InvalidDocument, ProtocolError, TooLarge

ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CONFIGURATION = f"""
version = 1
deployment = "acme-prod"
description = "test"
[kms]
runtime_role = "arn:aws:iam::111122223333:role/parent"
[[key]]
id = "models"
purpose = "model"
tenant = "acme"
arn = "{ARN}"
context = {{ data-class = "phi" }}
"""
CATALOGUE = f"""
version = 1
[[model]]
id = "tiny"
version = "1"
task = "infer"
manifest_sha384 = "{"a" * 96}"
key = "models"
"""
MANIFEST = f"""
id = "tiny"
version = "1"
task = "infer"
licence = "Apache-2.0"
source = "seed 0"
graph = "model.onnx"
[[files]]
name = "model.onnx"
size_bytes = 10
sha256 = "{"b" * 64}"
"""


def test_a_configuration_gives_keys_contexts_and_defaults() -> None:
    configuration = DeploymentConfiguration.from_bytes(CONFIGURATION.encode())
    entry = configuration.find_key("models", "model")
    model = Catalogue.from_bytes(CATALOGUE.encode()).model[0]
    assert entry.region == "eu-west-1"
    assert entry.model_context(model) == {
        "data-class": "phi",
        "purpose": "model",
        "tenant": "acme",
        "model": "tiny",
        "version": "1",
    }
    assert entry.fixed_context == {"data-class": "phi", "purpose": "model", "tenant": "acme"}
    assert configuration.limits.max_body_bytes == 1 << 20
    assert not configuration.kms.classical, "post-quantum is what one gets without asking"
    assert (configuration.limits.data_keys, configuration.limits.data_key_uses) == (1024, 1 << 16)
    assert configuration.windows.data_key_ttl_s == 900
    with pytest.raises(InvalidDocument):
        configuration.find_key("models", "request")


def test_documents_round_trip_through_toml() -> None:
    for text, kind in ((CONFIGURATION, DeploymentConfiguration), (CATALOGUE, Catalogue), (MANIFEST, ModelManifest)):
        document = kind.from_bytes(text.encode())
        assert kind.from_bytes(to_toml(document)) == document
        assert to_toml(document) == to_toml(document)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ("version = 1", ""),
        ("version = 1", "version = 1\nsurprise = 1"),
        ('"acme-prod"', '"ACME"'),
        ('"acme-prod"', '"acme\\n"'),
        ('"model"', '"other"'),
        (ARN, "arn:aws:kms:eu-west-1:111122223333:alias/models"),
        (ARN, ARN + "\\n"),
        ("data-class", "purpose"),
        ("data-class", "tenant"),
        ("[[key]]", "[limits]\nmax_body_bytes = 999999999\n[[key]]"),
        ("[[key]]", "[limits]\nmax_body_bytes = true\n[[key]]"),
        ("[[key]]", "[windows]\nrequest_s = 0\n[[key]]"),
        ("[[key]]", "[windows]\ndata_key_ttl_s = 9\n[[key]]"),
        ("[[key]]", "[windows]\ndata_key_ttl_s = 86401\n[[key]]"),
        ("[[key]]", "[limits]\ndata_keys = 0\n[[key]]"),
        ("[[key]]", "[limits]\ndata_keys = 65537\n[[key]]"),
        ("[[key]]", "[limits]\ndata_key_uses = 0\n[[key]]"),
        ("[[key]]", "[limits]\nmetrics_sample = 19\n[[key]]"),
        ("[[key]]", "[windows]\nmetrics_s = 59\n[[key]]"),
        ("[[key]]", "[windows]\nanswer_s = 0\n[[key]]"),
        ("[kms]", '[kms]\nclassical = "yes"'),
        ("[kms]", '[kms]\nendpoint = "https://evil"'),
        ("role/parent", "user/parent"),
        ("[[key]]", "[windows]\ndocument_refresh_s = 7191\n[[key]]"),
        ("[[key]]", '[[key]]\nid = "models"\npurpose = "model"\ntenant = "b"\n' + f'arn = "{ARN}"\n[[key]]'),
        ("version = 1", "version = 1\nversion = 1"),
        ("version = 1", "version = ["),
        ("[[key]]", "x = " + "[" * 5000 + "]" * 5000 + "\n[[key]]"),
    ],
)
def test_a_hostile_configuration_is_refused(old: str, new: str) -> None:
    assert old in CONFIGURATION
    with pytest.raises(InvalidDocument):
        DeploymentConfiguration.from_bytes(CONFIGURATION.replace(old, new, 1).encode())


def second_entry(**changes: str) -> str:
    """The configuration with its entry again, under another id and with these members changed."""
    entry = CONFIGURATION.partition("[[key]]")[2].replace('id = "models"', 'id = "others"')
    for name, value in changes.items():
        entry = entry.replace(f'{name} = "', f'{name} = "{value}')
    return CONFIGURATION + "[[key]]" + entry


def test_two_entries_that_nobody_could_tell_apart_are_refused() -> None:
    """An envelope names its entry by key and context: the later one would win, unasked."""
    assert len(DeploymentConfiguration.from_bytes(second_entry(tenant="x").encode()).key) == 2
    with pytest.raises(InvalidDocument, match="each key and context in one entry"):
        DeploymentConfiguration.from_bytes(second_entry().encode())


def test_bytes_that_are_no_text_or_too_many_are_refused() -> None:
    with pytest.raises(InvalidDocument):
        DeploymentConfiguration.from_bytes(b"\xff\xfe")
    with pytest.raises(TooLarge):
        DeploymentConfiguration.from_bytes(CONFIGURATION.encode() + b"#" * (64 << 10))


def test_a_key_of_many_parts_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidDocument, match="4096 dots"):
        DeploymentConfiguration.from_bytes(b"a." * 5_000 + b"a = 1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a" * 96, "a" * 95),
        ("a" * 96, "A" * 96),
        ('"infer"', '"train"'),
        ("[[model]]", '[[model]]\nid = "tiny"\nversion = "2"\ntask = "infer"\nkey = "k"\n'
         f'manifest_sha384 = "{"c" * 96}"\n[[model]]'),
        ("version = 1", "version = 0"),
    ],
)  # fmt: skip
def test_a_hostile_catalogue_is_refused(old: str, new: str) -> None:
    with pytest.raises(ProtocolError):
        Catalogue.from_bytes(CATALOGUE.replace(old, new, 1).encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "model.onnx"', 'name = "../model.onnx"'),
        ('name = "model.onnx"', 'name = "other.onnx"'),
        ("size_bytes = 10", "size_bytes = 0"),
        ('task = "infer"', 'task = "chat"'),
        ('task = "infer"', 'task = "embed"'),
        ("[[files]]", '[[files]]\nname = "model.onnx"\nsize_bytes = 1\n' + f'sha256 = "{"d" * 64}"\n[[files]]'),
        ('graph = "model.onnx"', 'graph = "model.onnx"\ntokenizer = "tokenizer.json"'),
        ("[[files]]", '[infer]\nfinite_inputs = "yes"\n[[files]]'),
    ],
)
def test_a_hostile_manifest_is_refused(old: str, new: str) -> None:
    with pytest.raises(InvalidDocument):
        ModelManifest.from_bytes(MANIFEST.replace(old, new, 1).encode())


LABELLED = MANIFEST.replace('graph = "model.onnx"', 'graph = "model.onnx"\ntokenizer = "model.onnx"')
CLASSIFY = '\n[classify]\ncontext_tokens = 8\nlabels = ["a", "b"]\nscoring = "softmax"\n'
TAG = '\n[tag]\ncontext_tokens = 8\nlabels = ["O", "B-X", "I-X"]\nscheme = "bio"\noutside = "O"\n'


def labelled(task: str, settings: str) -> ModelManifest:
    return ModelManifest.from_bytes((LABELLED.replace('"infer"', f'"{task}"') + settings).encode())


def test_settings_of_tensor_models_are_for_them_alone() -> None:
    settings = "[infer]\nfinite_inputs = true\n[[files]]"
    manifest = ModelManifest.from_bytes(MANIFEST.replace("[[files]]", settings, 1).encode())
    assert manifest.infer == InferSettings(finite_inputs=True)
    other = structs.replace(manifest, task="embed", tokenizer="model.onnx", embed=EmbedSettings(8, 2, "mean"))
    with pytest.raises(InvalidDocument, match="no settings of task 'infer'"):
        ModelManifest.from_bytes(to_toml(other))


def test_a_classifier_and_a_tagger_have_labels() -> None:
    classify, tag = labelled("classify", CLASSIFY).classify, labelled("tag", TAG).tag
    assert classify is not None
    assert tag is not None
    assert (classify.labels, tag.labels) == (["a", "b"], ["O", "B-X", "I-X"])
    plain = labelled("tag", TAG.replace('"bio"', '"plain"').replace('"B-X", "I-X"', '"X"')).tag
    assert plain is not None
    assert plain.labels == ["O", "X"]


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("classify", ""),
        ("classify", TAG),
        ("classify", CLASSIFY + TAG),
        ("tag", CLASSIFY),
        ("embed", CLASSIFY),
        ("infer", TAG),
        ("classify", CLASSIFY.replace('"b"', '"a"')),
        ("classify", CLASSIFY.replace('["a", "b"]', "[]")),
        ("classify", CLASSIFY.replace('"b"', '""')),
        ("classify", CLASSIFY.replace('"b"', f'"{"b" * 257}"')),
        ("classify", CLASSIFY.replace('"b"', ", ".join(f'"{label}"' for label in range(1024)))),
        ("classify", CLASSIFY.replace('"softmax"', '"argmax"')),
        ("classify", CLASSIFY.replace("context_tokens = 8", "context_tokens = 0")),
        ("tag", TAG.replace('outside = "O"', 'outside = "o"')),
        ("tag", TAG.replace('outside = "O"', 'outside = "o"').replace('"bio"', '"plain"')),
        ("tag", TAG.replace('outside = "O"', "")),
        ("tag", TAG.replace('"I-X"', '"B-X"')),
        ("tag", TAG.replace('"I-X"', '"X"')),
        ("tag", TAG.replace('"I-X"', '"I-"')),
        ("tag", TAG.replace('"I-X"', '"S-X"')),
        ("tag", TAG.replace('"bio"', '"bioes"')),
    ],
)
def test_hostile_labels_are_refused(task: str, settings: str) -> None:
    with pytest.raises(InvalidDocument):
        labelled(task, settings)


@pytest.mark.parametrize(("task", "settings"), [("classify", CLASSIFY), ("tag", TAG)])
def test_texts_need_a_tokenizer(task: str, settings: str) -> None:
    with pytest.raises(InvalidDocument, match="tokenizer"):
        ModelManifest.from_bytes((MANIFEST.replace('"infer"', f'"{task}"') + settings).encode())
